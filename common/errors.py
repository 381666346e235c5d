"""The one kind of error that is expected: it has a code for programs and a sentence a person can act on."""

from __future__ import annotations

from collections.abc import Mapping

STATUS_OF = {
    "not_found": 404,
    "not_signed_in": 401,
    "bad_signature": 401,
    "forbidden": 403,
    "conflict": 409,
    "busy": 409,
    "already_finished": 409,
    "key_reused": 409,
    "too_large": 413,
    "rate_limited": 429,
}


class ZergError(Exception):
    """An expected refusal.

    ``code`` is stable and for programs, ``message`` is a sentence for people, ``fields`` maps a field's name to what is
    wrong with it. ``status`` is the HTTP status that fits (422 unless the code says otherwise).
    """

    def __init__(self, code: str, message: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fields = dict(fields or {})

    @property
    def status(self) -> int:
        return STATUS_OF.get(self.code, 422)

    def as_json(self) -> dict[str, object]:
        """``{"error": {"code", "message", "fields"}}``, the body of every error answer."""
        return {"error": {"code": self.code, "message": self.message, "fields": self.fields}}


def not_found(what: str) -> ZergError:
    """The same answer for a missing object and for somebody else's."""
    return ZergError("not_found", f"{what} not found")
