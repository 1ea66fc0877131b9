"""A headless Chromium, a product's page under a strict policy, and a whole hub behind it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright

from hub.connections.actions import perform
from tests.browser.product import Product, product_running
from tests.spine.conftest import INAPP_SECRET, RunningHub, hub, prepared  # noqa: F401  # fixtures, here too

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENCE_MS = 15_000


@dataclass
class Visit:
    """A page of the product in the browser, and all that the browser complained about."""

    page: Page
    product: Product
    hub: RunningHub
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    network: list[str] = field(default_factory=list)

    def listen(self) -> None:
        """Note what the page's console says."""
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._said)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "warning":
            self.warnings.append(message.text)
        elif message.type == "error":
            by_the_browser = message.text.startswith("Failed to load resource")
            (self.network if by_the_browser else self.errors).append(message.text)

    async def send(self, **fields: Any) -> str:
        """Leave a message for u-7, as a play does; returns its id."""
        outcome = await perform(self.hub.kit, "inapp", "inapp.send_message", {"user": "u-7", **fields}, key=uuid4().hex)
        assert outcome.problem is None, outcome.problem
        return str(outcome.output["message"])

    async def open(self, *, direction: str = "ltr") -> None:
        """Go to the product's page."""
        await self.page.goto(self.product.page("u-7", direction=direction))

    async def told(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until so many events of a kind are recorded; their attributes and value."""

        async def there() -> bool:
            return len(await self._events(kind)) >= count

        await self.hub.eventually(there, what=f"{kind} (the console: {self.errors + self.warnings + self.network})")
        await self.hub.quiet()
        found = await self._events(kind)
        assert len(found) == count, found
        return found

    async def _events(self, kind: str) -> list[dict[str, Any]]:
        rows = await self.hub.rows(
            "SELECT attributes, value FROM event WHERE kind = :kind ORDER BY occurred_at", kind=kind
        )
        return [{**attributes, "value": value} for attributes, value in rows]

    async def focused(self) -> str:
        """What has the focus: the text or label of an element of ours, or the tag of one of the page's."""
        found: str = await self.page.evaluate(
            """() => {
              const host = document.activeElement, at = host?.shadowRoot?.activeElement;
              return at ? at.getAttribute("aria-label") || at.innerText.trim() || at.tagName
                : host.id || host.tagName;
            }"""
        )
        return found


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium with an empty profile of its own."""
    if not os.access(CHROMIUM, os.X_OK):
        pytest.skip("Chromium is not installed: apt-get install -y --no-install-recommends chromium")
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        try:
            yield opened
        finally:
            await opened.close()


@pytest.fixture
async def visit(hub: RunningHub, browser: Browser) -> AsyncIterator[Visit]:  # noqa: F811  # the fixture from above
    """A product with the script in its page; the browser has not gone there yet."""
    with product_running(hub.url, INAPP_SECRET) as product:
        context = await browser.new_context(viewport={"width": 900, "height": 600})
        page = await context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        found = Visit(page, product, hub)
        found.listen()
        yield found
        await context.close()


@pytest.fixture
def shots() -> Path | None:
    """Where pictures of the forms go, when HUB_TEST_SHOTS names a folder."""
    folder = os.environ.get("HUB_TEST_SHOTS")
    return Path(folder) if folder else None
