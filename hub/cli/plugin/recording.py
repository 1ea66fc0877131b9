"""`hub plugin record`: fixtures from a live account: a few records of each stream, scrubbed, with what they become."""

from __future__ import annotations

import secrets
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from hub.cli.console import AsJson, print_json, say
from hub.cli.plugin.scrubbing import Scrubber
from hub.kit.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from hub.kit.runtime import Kit
    from hub.sdk import Connector, Page, Stream

MOST_PAGES = 3


def record(
    connection: Annotated[str, typer.Argument(help="The connection's name.")],
    to: Annotated[Path, typer.Option(help="The fixtures folder that they are written to.")] = Path("tests/fixtures"),
    stream: Annotated[str | None, typer.Option(help="One stream only. Default: each that is polled.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=50, help="Records of each stream, at most.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Write golden pairs from what a vendor really sends, without names, addresses, texts and secrets.

    Reads a few pages and stores nothing in the hub. Look the files over before you publish them.
    """
    from hub.cli.session import run

    async def command(kit: Kit) -> list[str]:
        from hub.connections.hosting import open_connector
        from hub.connections.installing import find
        from hub.sdk.secrecy import secrets_of

        async with kit.reading() as session:
            row = await find(session, connection)
        async with open_connector(kit, row) as (connector, _):
            scrubber = Scrubber(secrets.token_bytes(16), secrets_of(connector.config))
            chosen = _chosen(connector, stream)
            return [name for one in chosen for name in await _recorded(connector, one, scrubber, to, limit)]

    written = run(command)
    if as_json:
        print_json({"folder": str(to), "files": written})
    else:
        say(f"{len(written)} files in {to}: {', '.join(written) or 'the vendor has no records'}")


def _chosen(connector: Connector[Any], name: str | None) -> list[Stream[Any]]:
    polled = {stream.name: stream for stream in connector.streams.values() if stream.interval is not None}
    if name is not None and name not in polled:
        raise NotFound(f"{connector.id} polls no stream {name!r} (it has: {', '.join(polled) or 'none'}).")
    return [polled[name]] if name is not None else list(polled.values())


async def _recorded(
    connector: Connector[Any], stream: Stream[Any], scrubber: Scrubber, folder: Path, limit: int
) -> list[str]:
    return _written(connector, stream, await _rows(connector, stream, limit), scrubber, folder)


def _written(
    connector: Connector[Any], stream: Stream[Any], rows: list[Any], scrubber: Scrubber, folder: Path
) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number, row in enumerate(rows, 1):
        path = folder / f"{stream.name}.recorded_{number}.json"
        scrubbed = scrubber.scrub(row)
        path.write_bytes(orjson.dumps(scrubbed, option=orjson.OPT_INDENT_2) + b"\n")
        written.append(path.name)
        events = _events(connector, path)
        if events is not None:
            half = path.with_suffix(".events.json")
            half.write_bytes(orjson.dumps(events, option=orjson.OPT_INDENT_2, default=str) + b"\n")
            written.append(half.name)
    return written


async def _rows(connector: Connector[Any], stream: Stream[Any], limit: int) -> list[Any]:
    rows: list[Any] = []
    reading: AsyncGenerator[Page, None] = stream.read(connector, None)  # type: ignore[assignment]  # an async generator
    async with aclosing(reading):
        pages = 0
        async for page in reading:
            rows += [row for row in page.rows if isinstance(row, dict)]
            pages += 1
            if len(rows) >= limit or pages >= MOST_PAGES:
                break
    return rows[:limit]


def _events(connector: Connector[Any], path: Path) -> list[dict[str, Any]] | None:
    """What the scrubbed record becomes; None when it fits no more, which the kit will say."""
    from hub.sdk.testing.fixtures import normalized

    try:
        return normalized(type(connector)(connector.config), path)
    except Exception:  # a record that was scrubbed may not fit its model any more
        return None
