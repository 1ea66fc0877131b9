"""A product with a strict content security policy: one page that embeds the in-app script, served from its own port."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from hub_inapp.connector import sign

POLICY = (
    "default-src 'none'; script-src {hub}; connect-src {hub}; style-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'"
)
"""As the README of the plugin states it, with everything else forbidden that can be."""

PAGE = """<!doctype html>
<html lang="en" dir="{dir}">
<title>Product</title>
<meta name="viewport" content="width=device-width">
<h1>Reports</h1>
<p><input id="search" aria-label="Search"> <button id="new">New report</button> <a href="/next">Next</a></p>
<script src="{hub}/in/inapp/inapp.js" data-user="{user}" data-signature="{signature}" data-interval="5" async></script>
</html>"""


@dataclass(frozen=True)
class Product:
    """The product, running. `hub` is the hub's address."""

    url: str

    def page(self, user: str, *, direction: str = "ltr") -> str:
        """The address of the page as this user sees it."""
        return f"{self.url}/?user={user}&dir={direction}"


@contextmanager
def product_running(hub: str, secret: str) -> Iterator[Product]:
    """The product's server, until the block ends; it signs whoever is named in the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            user, direction = query.get("user", ["nobody"])[0], query.get("dir", ["ltr"])[0]
            page = PAGE.format(hub=hub, user=user, dir=direction, signature=sign(secret, user)).encode()
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-security-policy", POLICY.format(hub=hub))
            self.send_header("content-length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name in the standard library
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Product(f"http://127.0.0.1:{server.server_address[1]}")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
