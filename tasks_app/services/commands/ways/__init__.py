"""The ways of commands to devices: one file each, and one line each in `registry`."""
