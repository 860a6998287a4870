"""Tools for development: local servers, the demo, the tests' runner, checks. Installed only where DEBUG is set."""
