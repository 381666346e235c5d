"""Zerg's own files: compressed once, kept in memory, and cached by browsers until they change.

Their addresses carry one digest of all of them, ``/static/3f9a2c1b7d04/css/zerg.css``: a module finds the others beside
it, no browser mixes an old file with a new one after an upgrade, and there is no step to forget.
"""

from __future__ import annotations

import gzip
import mimetypes
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

import brotli
from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.http import HttpRequest, HttpResponse

Handler = Callable[[HttpRequest], HttpResponse]

VERSION = re.compile(r"(?:(?P<version>[0-9a-f]{12})/)?(?P<name>.+)")
TEXT = ("text/", "image/svg", "application/json")
TYPES = {".js": "text/javascript", ".svg": "image/svg+xml", ".css": "text/css"}
OURS = settings.BASE_DIR / "static" / "js"
COMMENTED = re.compile(rb"^\s*(?://.*|/\*\*.*\*/)\n", re.MULTILINE)
INDENTED = re.compile(rb"^\s+", re.MULTILINE)
# Browsers take brotli over https and from their own machine, gzip from everywhere.
ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "br": lambda body: brotli.compress(body, quality=11),
    "gzip": lambda body: gzip.compress(body, 9, mtime=0),
}
ACCEPTED = re.compile(r"\b[a-z]+\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))")
FOREVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "public, no-cache"


@cache
def files() -> dict[str, Path]:
    """Every file by its name; of two with one name the first that Django would find."""
    found: dict[str, Path] = {}
    for finder in finders.get_finders():
        for path, storage in finder.list(None):
            found.setdefault(path.replace("\\", "/"), Path(storage.path(path)))
    return found


@cache
def version() -> str:
    """The digest of all names and contents: the same in every process that serves this Zerg."""
    digest = sha256()
    for name, path in sorted(files().items()):
        digest.update(name.encode() + b"\0" + sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


class VersionedFiles(StaticFilesStorage):
    """What ``{% static %}`` asks for addresses."""

    def url(self, name: str | None) -> str:
        return super().url(name if settings.DEBUG else f"{version()}/{name}")


@dataclass(frozen=True)
class Packed:
    """A file as it is sent. ``small``: by encoding, the best first; empty where compressing saves nothing."""

    body: bytes
    small: Mapping[str, bytes]
    kind: str
    etag: str

    @staticmethod
    def of(path: Path) -> Packed:
        body = lean(path.read_bytes()) if OURS in path.parents else path.read_bytes()
        kind = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        small = {name: pack(body) for name, pack in ENCODINGS.items()} if kind.startswith(TEXT) else {}
        small = {name: packed for name, packed in small.items() if len(packed) < len(body)}
        kind += "; charset=utf-8" if kind.startswith("text/") else ""
        return Packed(body, small, kind, f'W/"{sha256(body).hexdigest()[:16]}"')


packed = cache(Packed.of)


def lean(script: bytes) -> bytes:
    """A script of ours without what only its readers need: whole lines of comment, and indentation."""
    return INDENTED.sub(b"", COMMENTED.sub(b"", script))


def static_files(get_response: Handler) -> Handler:
    """Answers for the files. An address of another version gets the file as it is now, and does not keep it."""
    prefix = f"/{settings.STATIC_URL.strip('/')}/"

    def middleware(request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(prefix) or request.method not in ("GET", "HEAD"):
            return get_response(request)
        asked = VERSION.fullmatch(request.path_info.removeprefix(prefix))
        path = files().get(asked["name"]) if asked else None
        if asked is None or path is None:
            return get_response(request)
        file = Packed.of(path) if settings.DEBUG else packed(path)
        return _answer(request, file, FOREVER if asked["version"] == version() else ASK_AGAIN)

    return middleware


def _answer(request: HttpRequest, file: Packed, keep: str) -> HttpResponse:
    headers = {"Cache-Control": keep, "Vary": "Accept-Encoding"} | ({} if keep == FOREVER else {"ETag": file.etag})
    if file.etag in request.headers.get("If-None-Match", ""):
        return HttpResponse(status=304, headers=headers)
    accepted = ACCEPTED.findall(request.headers.get("Accept-Encoding", ""))
    for encoding, small in file.small.items():
        if encoding in accepted:
            return HttpResponse(small, content_type=file.kind, headers={**headers, "Content-Encoding": encoding})
    return HttpResponse(file.body, content_type=file.kind, headers=headers)
