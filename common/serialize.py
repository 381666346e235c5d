"""How values look in JSON, everywhere."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC with Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None


def money(amount: Decimal | None) -> str | None:
    """US dollars as a decimal string without trailing zeros; None when the price is unknown."""
    if amount is None:
        return None
    text = f"{amount:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"
