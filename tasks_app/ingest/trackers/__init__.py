"""The protocols of trackers that connect directly: one file each, and one line each in `registry`."""
