"""Moments as people write them: a date, a date with a time, or days from now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hub.kit.errors import Invalid


def moment(text: str, now: datetime) -> datetime:
    """A date, a date with a time, or days back (`30d`), as an aware time. Raises `Invalid`."""
    if text.endswith("d") and text[:-1].isdigit():
        return now - timedelta(days=int(text[:-1]))
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{text!r} is not a date.", remedy="Write 2026-03-01, 2026-03-01T12:00+00:00 or 30d.") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def ahead(text: str, now: datetime) -> datetime:
    """A date, or days from now (`7d`). Raises `Invalid`."""
    return now + (now - moment(text, now)) if text.endswith("d") else moment(text, now)
