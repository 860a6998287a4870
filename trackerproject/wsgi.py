"""WSGI entry point."""

import os

from django.core.wsgi import get_wsgi_application

from trackerproject.web import settle

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trackerproject.settings")
application = get_wsgi_application()
settle()
