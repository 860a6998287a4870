"""A Django app with the tasks that engine tests run; loaded with EXTRA_APPS=tests.support.probe."""
