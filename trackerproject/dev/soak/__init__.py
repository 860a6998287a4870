"""A long test of the engine: jobs that keep a ledger in PostgreSQL while something is killed every few seconds."""
