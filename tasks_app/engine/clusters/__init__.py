"""The main process of a cluster and its helpers: they watch workers, enqueue what is due, and keep queues in order."""
