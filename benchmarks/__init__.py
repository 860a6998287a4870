"""Measurements of this product beside its peers: `make bench`, or `python -m benchmarks [engine|ingest] [--quick]`."""
