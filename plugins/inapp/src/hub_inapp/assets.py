"""The files that a product's page loads: the script and its style sheet, without comments and with an ETag.

Both are the same for everybody and hold no secret, so they need no signature and any origin may read them. They are
short-lived in caches: a release of the hub reaches every page within minutes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from rjsmin import jsmin

from hub import sdk

TYPES = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8"}
ANY_ORIGIN = {"access-control-allow-origin": "*"}
"""No cookie is ever sent, and what is secret is asked for with a signature: any page may read its answer."""


@dataclass(frozen=True, slots=True)
class Public:
    """Anybody may ask."""

    def verify(self, delivery: sdk.Delivery, secrets: Sequence[str]) -> None:
        return


@lru_cache(maxsize=8)
def asset(name: str) -> bytes:
    """`inapp.js` or `inapp.css` as they are delivered."""
    source = files("hub_inapp").joinpath(name).read_text("utf-8")
    if name.endswith(".js"):
        return str(jsmin(source)).encode()
    return re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", source, flags=re.DOTALL)).strip().encode()


def served(name: str, delivery: sdk.Delivery) -> sdk.Reply:
    """The file, or 304 to a browser that has it."""
    content = asset(name)
    tag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
    headers = {
        **ANY_ORIGIN,
        "etag": tag,
        "cache-control": "public, max-age=300, stale-while-revalidate=86400",
        "cross-origin-resource-policy": "cross-origin",
        "x-content-type-options": "nosniff",
    }
    known = {one.strip().removeprefix("W/") for one in delivery.headers.get("if-none-match", "").split(",")}
    if known & {tag, "*"}:
        return sdk.Reply(304, None, headers)
    return sdk.Reply(200, content, {**headers, "content-type": TYPES[name.rpartition(".")[2]]})
