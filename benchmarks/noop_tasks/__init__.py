"""A Django app with the tasks that the engine benchmark runs; loaded with EXTRA_APPS=benchmarks.noop_tasks."""
