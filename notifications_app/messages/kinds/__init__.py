"""One file for each kind of message: its name, its contents, the events it is about, its sample."""
