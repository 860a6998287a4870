"""ASGI entry point: `uvicorn trackerproject.asgi:application`."""

import os

from django.core.asgi import get_asgi_application

from trackerproject.web import settle

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trackerproject.settings")
application = get_asgi_application()
settle()
