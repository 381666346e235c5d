"""The ASGI application: Django for HTTP, and the two sockets of a thread. Any ASGI server can serve it."""

from __future__ import annotations

import os
import sys

import django
from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zerg_site.settings")
django.setup(set_prefix=False)

from api.consumers import ApiSocket  # noqa: E402 - consumers need the apps that the line above loads
from common import process  # noqa: E402
from threads.consumers import PageSocket  # noqa: E402
from zerg_site.handler import ThreadedHandler  # noqa: E402
from zerg_site.sockets import closing_unknown_paths  # noqa: E402

if "daphne.cli" in sys.modules:  # it imports this file before it makes its server; other servers have options
    from zerg_site.server import stand_in

    stand_in()

application = ProtocolTypeRouter(
    {
        "http": ThreadedHandler(),
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

process.settle()
