"""The gateway: sockets and sessions of trackers that connect directly."""
