"""The org's budget of API requests: how much of it is gone, and until when the hub holds back.

Salesforce counts the requests of the last 24 hours, of all programs together, and tells with each answer:
`Sforce-Limit-Info: api-usage=891/15000; per-app-api-usage=17/250(appName=hub)`. The window slides, so what was used an
hour ago a day back comes free with every hour: holding back means to ask again once an hour.
https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/headers_api_usage.htm
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

HEADER = "sforce-limit-info"
HOLD_BACK = timedelta(hours=1)
_USAGE = re.compile(r"(?:per-app-)?api-usage=(\d+)/(\d+)")


@dataclass(frozen=True, slots=True)
class Usage:
    """The share of the budget that is used, 0–1, as it was told at a time."""

    share: float
    at: datetime


def usage_in(header: str | None, at: datetime) -> Usage | None:
    """What the header tells; of the org's usage and the app's own the one that is nearer to its limit."""
    told = [(int(used), int(limit)) for used, limit in _USAGE.findall(header or "")]
    shares = [used / limit for used, limit in told if limit]
    return Usage(max(shares), at) if shares else None


def hold_back(usage: Usage | None, share: float, now: datetime) -> timedelta | None:
    """How long to wait before the next request; None when one may be made."""
    if usage is None or usage.share < share or now >= usage.at + HOLD_BACK:
        return None
    return usage.at + HOLD_BACK - now
