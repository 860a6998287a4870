"""PostgreSQL and Valkey from wheels, for development, tests and the demo. Never used in production."""
