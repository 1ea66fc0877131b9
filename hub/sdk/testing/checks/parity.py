"""Check 14: a webhook says what a poll says, with the same ids."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson

from hub.sdk.connector import Connector, Stream
from hub.sdk.rows import RawRow, read_row
from hub.sdk.testing.checks.received import received, sent_by_vendor, told_of
from hub.sdk.testing.checks.stages import collect, filled, stage, told
from hub.sdk.testing.fixtures import UNKNOWN, Sent, golden_pairs
from hub.sdk.testing.hosting import NOW
from hub.sdk.testing.plugin import Plugin
from hub.sdk.testing.verdicts import Finding, NotApplicable
from hub.sdk.webhooks import Signing


def parity(plugin: Plugin) -> Iterator[Finding]:
    """14: one object by webhook, by poll and by refetch gives events with the same ids and the same content."""
    handled = {name for webhook in plugin.kind.webhooks.values() for name in webhook.handles}
    streams = [stream for stream in plugin.polled if stream.name in handled or stream.fetch is not None]
    if not streams:
        raise NotApplicable("no stream comes both by webhook and by poll")
    connector = plugin.kind(plugin.config)
    for one in sent_by_vendor(plugin):
        if one.case == UNKNOWN or not isinstance(one.webhook.signature, Signing):
            continue
        try:
            rows = [row for row in received(connector, one.webhook, one.delivery(NOW)) if isinstance(row, RawRow)]
        except Exception:  # noqa: S112  # check 13 says so
            continue
        for row in rows:
            if row.payload is not None and connector.streams[row.stream] in streams:
                yield from _same(plugin, connector, one, row)
    yield from collect(_refetched(plugin, [stream for stream in streams if stream.fetch is not None]))


def _same(plugin: Plugin, connector: Connector[Any], one: Sent, row: RawRow) -> Iterator[Finding]:
    polled = _golden(plugin, connector.streams[row.stream])
    alike = [found for found in polled if (found.record_id, found.version) == (row.record_id, row.version)]
    if not alike:
        versions = sorted(found.version for found in polled if found.record_id == row.record_id)
        said = (
            f"golden pairs have it as {', '.join(versions)}, which the poll would store beside it"
            if versions
            else (f"add the golden pair fixtures/{row.stream}.{one.case}.json with the same object as the API lists it")
        )
        yield Finding(
            "parity.ids", f"{one.file.name} brings {row.stream} {row.record_id} in version {row.version}: {said}."
        )
    elif _differ(connector, alike[0], row):
        yield Finding(
            "parity.ids",
            f"{one.file.name} and the golden pair of {row.stream} {row.record_id} give other events: let both have the "
            "same record, or the same natural_key and content.",
        )


def _differ(connector: Connector[Any], polled: RawRow, pushed: RawRow) -> bool:
    try:
        return told_of(connector, polled) != told_of(connector, pushed)
    except Exception:  # check 10 says so
        return False


def _golden(plugin: Plugin, stream: Stream[Any]) -> list[RawRow]:
    paths = [path for path in golden_pairs(plugin.fixtures) if path.name.partition(".")[0] == stream.name]
    judged = [read_row(stream, orjson.loads(path.read_bytes()), NOW) for path in paths]
    return [row for row in judged if isinstance(row, RawRow)]


async def _refetched(plugin: Plugin, streams: list[Stream[Any]]) -> AsyncIterator[Finding]:
    for stream in streams:
        async with stage(plugin) as trial:
            found = await filled(trial, stream)
            if not found.works or stream.fetch is None:
                continue
            polled = next(row for page in found.reading.pages for row in page)
            try:
                async with trial.connector() as connector:
                    row = await stream.fetch(connector, polled.record_id)
                    judged = read_row(stream, row, NOW)
            except Exception as error:  # refetch may fail in any way
                yield Finding("parity.refetch", f"The refetch of {stream.name} {polled.record_id} fails: {told(error)}")
                continue
            if not isinstance(judged, RawRow) or judged.version != polled.version:
                yield Finding("parity.refetch", f"The refetch of {stream.name} gives another state than the poll.")
            elif told_of(connector, judged) != told_of(connector, polled):
                yield Finding("parity.refetch", f"The refetch of {stream.name} gives other events than the poll.")
