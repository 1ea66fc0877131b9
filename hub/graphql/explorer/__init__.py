"""The explorer at `/graphql`: a page to try queries on, served whole from here. It loads nothing from anywhere else.

Decision: GraphiQL is not shipped. Its builds weigh megabytes and usually come from a content network, which neither a
closed network nor a strict content policy allows; what newcomers need is an editor, examples, results and the schema.
"""

from __future__ import annotations

from functools import lru_cache
from html import escape
from pathlib import Path
from urllib.parse import parse_qs

import orjson
from starlette.types import Send

FOLDER = Path(__file__).parent
ASSETS = {"explorer.js": b"text/javascript; charset=utf-8", "explorer.css": b"text/css; charset=utf-8"}
IN_THE_WHEEL = FOLDER.parent / "examples"
IN_THE_CHECKOUT = Path(__file__).parents[3] / "examples" / "queries"
POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
    b"form-action 'none'; frame-ancestors 'none'"
)


def is_asked_for(query_string: bytes, method: str, accepts: list[str]) -> bool:
    """Whether a browser wants the page and no operation."""
    return method in ("GET", "HEAD") and "text/html" in accepts and b"query" not in parse_qs(query_string)


@lru_cache(maxsize=1)
def examples() -> dict[str, str]:
    """The example queries by name, in the order of their names."""
    folder = next((folder for folder in (IN_THE_WHEEL, IN_THE_CHECKOUT) if folder.is_dir()), None)
    files = sorted(folder.glob("*.graphql")) if folder else []
    return {file.stem: file.read_text(encoding="utf-8") for file in files}


@lru_cache(maxsize=1)
def html() -> bytes:
    """The page, with the examples in it."""
    text = (FOLDER / "explorer.html").read_text(encoding="utf-8")
    # Inside a script element only "</" could end it.
    data = orjson.dumps(examples()).decode().replace("<", "\\u003c")
    names = "".join(f'<option value="{escape(name)}">{escape(name.replace("_", " "))}</option>' for name in examples())
    return text.replace("EXAMPLES_AS_JSON", data).replace("EXAMPLES_AS_OPTIONS", names).encode()


async def page(send: Send) -> None:
    """Send the page."""
    await _send(send, html(), b"text/html; charset=utf-8")


async def asset(send: Send, name: str) -> bool:
    """Send one of the page's files; False when there is none of that name."""
    if name not in ASSETS:
        return False
    await _send(send, (FOLDER / name).read_bytes(), ASSETS[name])
    return True


async def _send(send: Send, body: bytes, media: bytes) -> None:
    headers = [
        (b"content-type", media),
        (b"content-length", str(len(body)).encode()),
        (b"content-security-policy", POLICY),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"cache-control", b"no-cache"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
