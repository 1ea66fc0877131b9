"""A digest as a message: a subject, plain text, and the same as HTML.

Names and notes come from outside, so the templates are filled in Jinja's sandbox, and HTML escapes everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import PackageLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from hub.digests.gathering import Part

TITLES: Final = {
    "bands": "Health",
    "alerts": "New alerts",
    "resolved": "Alerts that are over",
    "watch": "Watch list",
    "milestones": "Overdue milestones",
    "tasks": "Tasks that are due",
}


def message(owner: str, day: date, parts: Mapping[str, Part], zone: str) -> dict[str, Any]:
    """What a connection is given: email, subject, text, html. Moments are shown in the zone of the digest."""
    changes = sum(part.total for part in parts.values())
    subject = f"{day:%d %B %Y}: {changes} {'change' if changes == 1 else 'changes'} on your accounts"
    names = {"day": day, "parts": parts, "titles": TITLES, "zone": ZoneInfo(zone), "subject": subject}
    return {
        "email": owner,
        "subject": subject,
        "text": _environment().get_template("digest.txt").render(names),
        "html": _environment().get_template("digest.html").render(names),
    }


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        loader=PackageLoader("hub.digests", "."),
        undefined=StrictUndefined,
        autoescape=lambda name: name is not None and name.endswith(".html"),
        trim_blocks=True,
        lstrip_blocks=True,
    )
