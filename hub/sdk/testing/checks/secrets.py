"""Check 3: secrets are typed, and stay out of texts, logs, errors, addresses and fixtures."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any

from hub.sdk.connector import Connector
from hub.sdk.http import connector_error
from hub.sdk.secrecy import secrets_of
from hub.sdk.testing.checks.stages import collect, stage
from hub.sdk.testing.hosting import Trial
from hub.sdk.testing.plugin import Plugin
from hub.sdk.testing.reading import read
from hub.sdk.testing.verdicts import Finding
from hub.sdk.testing.weather import Fault

SHORTEST = 6
LIVE = re.compile(
    r"\b([sr]k_live_\w{8,}|xox[abprs]-[\w-]{10,}|AKIA[0-9A-Z]{16}|gh[pousr]_\w{30,}|glpat-[\w-]{15,}|"
    r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,})|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
"""Credentials that work somewhere: Stripe, Slack, AWS, GitHub, GitLab, signed tokens, private keys."""

MOODS = (
    None,
    Fault.UNAUTHORIZED,
    Fault.FORBIDDEN,
    Fault.UNPROCESSABLE,
    Fault.BROKEN,
    Fault.PAGE,
    Fault.NOTHING,
)


def secrets(plugin: Plugin) -> Iterator[Finding]:
    """3: secrets typed; absent from repr, logs, errors, addresses, fixtures."""
    hidden = [secret for secret in secrets_of(plugin.config) if len(secret) >= SHORTEST]
    yield from _in_fixtures(plugin, hidden)
    yield from collect(_at_work(plugin, hidden))


def _in_fixtures(plugin: Plugin, hidden: list[str]) -> Iterator[Finding]:
    for path in sorted(plugin.fixtures.rglob("*")):
        if not path.is_file():
            continue
        text = path.read_text(errors="replace")
        if live := LIVE.search(text):
            yield Finding(
                "secrets.fixtures", f"{path.name} holds what looks like a real credential ({live[0][:8]}…): revoke it."
            )
        if path.name != "config.json" and any(secret in text for secret in hidden):
            yield Finding("secrets.fixtures", f"{path.name} holds a secret of config.json: take it out of the record.")


async def _at_work(plugin: Plugin, hidden: list[str]) -> AsyncIterator[Finding]:
    async with stage(plugin) as trial:
        with _overheard() as heard:
            async with trial.connector() as connector:
                shown = f"{connector!r} {connector} {plugin.config!r} {plugin.config} {vars(connector)}"
                errors = [error async for error in _provoked(plugin, trial, connector)]
        if _holds(shown, hidden):
            yield Finding("secrets.repr", "repr(connector) or str(config) shows a secret: type the field as SecretStr.")
        if _holds(heard.getvalue(), hidden):
            yield Finding(
                "secrets.logs", "A secret was logged or printed: log the request's path, never headers or the config."
            )
        for what, text in errors:
            if _holds(text, hidden):
                yield Finding(
                    "secrets.errors",
                    f"The error of {what} holds a secret: raise it with what to do, not with the value.",
                )
        if any(_holds(request, hidden) for request in trial.weather.requests):
            yield Finding(
                "secrets.address", "A secret is in a request's address: send it as a header in authenticate()."
            )


async def _provoked(plugin: Plugin, trial: Trial, connector: Connector[Any]) -> AsyncIterator[tuple[str, str]]:
    """What the connector says while the vendor answers in every mood."""
    for mood in MOODS:
        trial.faults(mood)
        try:
            await connector.check()
        except Exception as error:
            yield "check()", _everything(error)
        for stream in plugin.polled:
            found = await read(connector, stream, pages=2)
            if found.error is not None:
                yield f"the stream {stream.name}", _everything(found.error)


def _everything(error: Exception) -> str:
    known = connector_error(error)
    return f"{error} {error!r} {known.message if known else ''} {known.detail if known else ''}"


def _holds(text: str, hidden: list[str]) -> bool:
    return any(secret in text for secret in hidden)


@contextmanager
def _overheard() -> Iterator[StringIO]:
    """All that is logged or printed while the block runs."""
    heard = StringIO()
    handler = logging.StreamHandler(heard)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with redirect_stdout(heard), redirect_stderr(heard):
            yield heard
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
