"""ASGI entry point: `uvicorn trackerproject.asgi:application`. HTTP is Django's, WebSockets are Channels'.

Bodies are bounded before anything reads them (`body_limits`), and ordinary messages of devices are taken in before Django
(`gathered_intake`).
"""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import path, re_path

from trackerproject.proxies import ProxyAware, TrustedProxies, disable_uvicorn_proxy_headers
from trackerproject.request_threads import http_application
from trackerproject.web import settle
from trackerproject.websocket_handshakes import answer_refused_handshakes

disable_uvicorn_proxy_headers()
answer_refused_handshakes()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trackerproject.settings")
django_application = http_application()

# Models can be imported only now.
from notifications_app.websockets.consumer import NotificationConsumer  # noqa: E402
from tasks_app.websockets.routing import websocket_application  # noqa: E402
from trackerproject.body_limits import BodyLimits  # noqa: E402
from trackerproject.gathered_intake import GatheredIntake  # noqa: E402
from trackerproject.observed_requests import ObservedRequests  # noqa: E402

websockets = URLRouter([path("ws/notifications/", NotificationConsumer.as_asgi()), re_path(r"", websocket_application)])
by_protocol = ProtocolTypeRouter({"http": GatheredIntake(django_application), "websocket": websockets})
trusted, names_scheme = TrustedProxies.of(settings.TRUSTED_PROXIES), TrustedProxies.of(settings.TLS_PROXIES)
limited = BodyLimits(by_protocol, idle_seconds=settings.BODY_IDLE_SECONDS)
application = ProxyAware(ObservedRequests(limited), trusted, names_scheme)
settle()
