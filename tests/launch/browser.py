"""A browser without script, on the standard library alone: cookies, redirects, and forms with their tokens."""

from __future__ import annotations

import re
import urllib.parse
import urllib.request
from collections.abc import Mapping
from http.cookiejar import CookieJar


class Browser:
    """``address`` and ``html`` are those of the page it shows."""

    def __init__(self) -> None:
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self.address = ""
        self.html = ""

    def go(self, address: str) -> None:
        self._open(urllib.request.Request(urllib.parse.urljoin(self.address, address)))

    def submit(self, action: str, fields: Mapping[str, str]) -> None:
        """Fills in and sends the form of this page whose action matches the pattern ``action``."""
        form = re.search(rf'<form[^>]*action="({action})".*?name="csrfmiddlewaretoken" value="(\w+)"', self.html, re.S)
        assert form, f"{self.address} has no form for {action}"
        data = urllib.parse.urlencode({"csrfmiddlewaretoken": form[2], **fields}).encode()
        target = urllib.parse.urljoin(self.address, form[1])
        origin = "/".join(self.address.split("/")[:3])
        self._open(urllib.request.Request(target, data, {"Origin": origin}))

    def _open(self, request: urllib.request.Request) -> None:
        with self._opener.open(request, timeout=20) as answer:
            self.address, self.html = answer.url, answer.read().decode()
