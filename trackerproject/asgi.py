"""ASGI entry point: `uvicorn trackerproject.asgi:application`. HTTP is Django's, WebSockets are Channels'."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path, re_path

from trackerproject.web import settle

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trackerproject.settings")
http_application = get_asgi_application()

# Models can be imported only now.
from notifications_app.websockets import NotificationConsumer  # noqa: E402
from tasks_app.websockets.routing import websocket_application  # noqa: E402

websockets = URLRouter([path("ws/notifications/", NotificationConsumer.as_asgi()), re_path(r"", websocket_application)])
application = ProtocolTypeRouter({"http": http_application, "websocket": websockets})
settle()
