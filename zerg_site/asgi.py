"""The ASGI application: Django for HTTP, and the two sockets of a thread. Any ASGI server can serve it."""

from __future__ import annotations

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zerg_site.settings")
django_application = get_asgi_application()

from api.consumers import ApiSocket  # noqa: E402 - consumers need the apps that the line above loads
from threads.consumers import PageSocket  # noqa: E402
from threads.sockets import FRAME_BYTES  # noqa: E402
from zerg_site.sockets import bound_frames, closing_unknown_paths  # noqa: E402

bound_frames(FRAME_BYTES)

application = ProtocolTypeRouter(
    {
        "http": django_application,
        "websocket": closing_unknown_paths(
            URLRouter(
                [
                    re_path(r"^api/threads/(?P<thread_id>\d{1,18})/ws/?$", ApiSocket.as_asgi()),
                    re_path(r"^threads/(?P<thread_id>\d{1,18})/live/?$", PageSocket.as_asgi()),
                ]
            )
        ),
    }
)
