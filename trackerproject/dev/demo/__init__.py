"""The steps of `make demo` once its servers run."""
