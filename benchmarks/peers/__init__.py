"""One file per job system: how it is filled, started and watched. Each runs in a process of its own (see `protocol`)."""
