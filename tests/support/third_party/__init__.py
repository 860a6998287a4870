"""A Django app that knows nothing of ours: its tasks are declared with django.tasks (EXTRA_APPS=tests.support.third_party)."""
