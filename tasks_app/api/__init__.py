"""The REST API, in rooms by noun."""

from tasks_app.library_options import absent

with absent("jinja2", "markdown", "pygments", "requests"):  # for pages and test clients of Django REST framework
    import django.test.utils  # noqa: F401
    import rest_framework.compat  # noqa: F401
