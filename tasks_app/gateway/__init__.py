"""The gateway: the process that trackers connect to by TCP and UDP. It knows protocols and services, but no model.

`server` puts the parts together, `shared` is what all connections share, `sessions` knows them and which one has a device's
session. `link` is the life of one tracker's connection, `tcp` and `udp` its two transports.
Everything that waits for Redis or PostgreSQL runs in few threads, in calls that serve what many trackers sent: `intake`
takes in and opens sessions, `identities` looks devices up, `notes` writes what nothing waits for.
"""
