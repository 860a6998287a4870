"""ASGI entry point: `uvicorn trackerproject.asgi:application`. HTTP is Django's, WebSockets are Channels'."""

import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

from trackerproject.web import settle

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trackerproject.settings")
http_application = get_asgi_application()

# Models can be imported only now.
from tasks_app.websockets.routing import websocket_application  # noqa: E402

application = ProtocolTypeRouter({"http": http_application, "websocket": websocket_application})
settle()
