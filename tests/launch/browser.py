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
        """Fills in and sends the form of this page whose action, or a button's, matches the pattern ``action``."""
        where = re.search(rf'<(form|button)[^>]* (?:form)?action="({action})"', self.html)
        assert where, f"{self.address} has no form for {action}"
        form = where.start() if where[1] == "form" else self.html.index('<form id="act"')
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.html[form:])
        assert token, f"{self.address} has a form without a token"
        data = urllib.parse.urlencode({"csrfmiddlewaretoken": token[1], **fields}).encode()
        target = urllib.parse.urljoin(self.address, where[2])
        origin = "/".join(self.address.split("/")[:3])
        self._open(urllib.request.Request(target, data, {"Origin": origin}))

    def _open(self, request: urllib.request.Request) -> None:
        with self._opener.open(request, timeout=20) as answer:
            self.address, self.html = answer.url, answer.read().decode()
