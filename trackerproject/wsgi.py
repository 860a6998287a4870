"""WSGI entry point."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from trackerproject.proxies import TrustedProxies, wsgi_behind
from trackerproject.web import settle

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trackerproject.settings")
trusted, names_scheme = TrustedProxies.of(settings.TRUSTED_PROXIES), TrustedProxies.of(settings.TLS_PROXIES)
application = wsgi_behind(get_wsgi_application(), trusted, names_scheme)
settle()
