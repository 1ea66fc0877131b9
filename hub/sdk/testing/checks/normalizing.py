"""Checks 10 to 12: what records mean. Pure, deterministic, proved by golden pairs, and safe from strange rows."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from hub.sdk.connector import Connector, Stream
from hub.sdk.events import Event
from hub.sdk.testing.checks.stages import collect, filled, meaning, stage, told
from hub.sdk.testing.fixtures import as_json, expected_events, golden_pairs
from hub.sdk.testing.hosting import Trial
from hub.sdk.testing.plugin import Plugin
from hub.sdk.testing.reading import read
from hub.sdk.testing.verdicts import Finding, NotApplicable
from hub.sdk.testing.watch import watched

STRANGE = {"x_of_tomorrow": {"nested": [1, "two", None]}}
"""A field that a vendor adds one day."""


def _records(plugin: Plugin) -> Iterator[tuple[Path, Stream[Any], dict[str, Any]]]:
    """The records of golden pairs whose stream is declared and whose model they fit."""
    for path in golden_pairs(plugin.fixtures):
        stream = plugin.kind.streams.get(path.name.partition(".")[0])
        row = orjson.loads(path.read_bytes())
        try:
            if stream is not None and stream.normalizer is not None:
                stream.record.model_validate(row)
                yield path, stream, row
        except ValidationError:
            continue  # check 5 says so


def _events(connector: Connector[Any], stream: Stream[Any], row: dict[str, Any]) -> list[Event]:
    assert stream.normalizer is not None  # noqa: S101  # only such streams come here
    return list(stream.normalizer(connector, stream.record.model_validate(copy.deepcopy(row))))


def pure(plugin: Plugin) -> Iterator[Finding]:
    """10: `normalize` is pure and deterministic, gives declared kinds only, and people that can be recognised."""
    connector = plugin.kind(plugin.config)
    if not plugin.kind.streams:
        raise NotApplicable("no stream is declared")
    for path, stream, row in _records(plugin):
        try:
            with watched(plugin.kind.__module__) as seen:
                first, second = (_events(connector, stream, row) for _ in range(2))
        except Exception as error:  # whatever normalize may raise over a record that is an example
            yield Finding("normalize.fails", f"normalize fails over {path.name}: {told(error)}")
            continue
        if first != second:
            yield Finding(
                "normalize.pure",
                f"normalize gives two results for {path.name}: take times and ids from the record, not from now() or "
                "uuid4().",
            )
        if seen.talks or seen.starts or seen.sleeps or seen.opens:
            what = (seen.talks or seen.starts or seen.sleeps or seen.opens)[0]
            yield Finding("normalize.pure", f"normalize does more than think over {path.name} ({what}): do it in read.")
        yield from _unchanged(connector, path, stream, row)
        yield from _wellformed(path, stream, first)


def _unchanged(connector: Connector[Any], path: Path, stream: Stream[Any], row: dict[str, Any]) -> Iterator[Finding]:
    assert stream.normalizer is not None  # noqa: S101  # only such streams come here
    record = stream.record.model_validate(copy.deepcopy(row))
    before = record.model_dump_json()
    list(stream.normalizer(connector, record))
    if record.model_dump_json() != before:
        yield Finding("normalize.pure", f"normalize changes the record {path.name}: make new values from it.")


def _wellformed(path: Path, stream: Stream[Any], events: list[Event]) -> Iterator[Finding]:
    for event in events:
        if event.kind not in stream.emits:
            yield Finding(
                "normalize.kinds", f'{path.name} gives {event.kind}: add "{event.kind}" to emits= of {stream.name}.'
            )
        if any(not person.keys for person in event.people):
            yield Finding("normalize.keys", f"{path.name}: a person of {event.kind} has no key: add sdk.keys.email(…).")
        try:
            orjson.dumps(as_json(event))
        except TypeError as error:
            yield Finding("normalize.kinds", f"{path.name}: {event.kind} holds what JSON cannot: {error}")


def golden(plugin: Plugin) -> Iterator[Finding]:
    """11: golden pairs: both halves there, equal, and every declared kind among them."""
    if not plugin.kind.streams:
        raise NotApplicable("no stream is declared")
    connector = plugin.kind(plugin.config)
    known = set(golden_pairs(plugin.fixtures))
    for path in sorted(plugin.fixtures.glob("*.events.json")):
        record = path.with_name(path.name.replace(".events.json", ".json"))
        if record not in known:
            yield Finding("golden.pairs", f"{path.name} has no record beside it: add {record.name}.")
    for path in sorted(known):
        name = path.name.partition(".")[0]
        if name not in plugin.kind.streams:
            yield Finding("golden.pairs", f"{path.name} begins with {name!r}, which is no stream: rename it.")
    for path, stream, row in _records(plugin):
        yield from _pair(connector, path, stream, row)
    for declared in plugin.kind.streams.values():
        yield from _shown(plugin, declared)


def _pair(connector: Connector[Any], path: Path, stream: Stream[Any], row: dict[str, Any]) -> Iterator[Finding]:
    half = path.with_suffix(".events.json").name
    try:
        events = [as_json(event) for event in _events(connector, stream, row)]
    except Exception:  # check 10 says so
        return
    text = orjson.dumps(events, option=orjson.OPT_INDENT_2, default=str).decode()
    if not path.with_suffix(".events.json").exists():
        yield Finding("golden.pairs", f"{path.name} has no events beside it. If these are right, write {half}:\n{text}")
    elif orjson.loads(text) != expected_events(path):
        yield Finding("golden.equal", f"{path.name} means something else than {half} says; it gives now:\n{text}")


def _shown(plugin: Plugin, stream: Stream[Any]) -> Iterator[Finding]:
    shown = {
        event.get("kind")
        for path in golden_pairs(plugin.fixtures)
        if path.name.partition(".")[0] == stream.name and path.with_suffix(".events.json").exists()
        for event in expected_events(path)
    }
    for kind in sorted(stream.emits - shown):
        yield Finding(
            "golden.kinds",
            f"No golden pair shows {kind}: add fixtures/{stream.name}.<case>.json, a record that becomes one, or take "
            "it out of emits=.",
        )


def strangers(plugin: Plugin) -> Iterator[Finding]:
    """12: an unknown field passes; a row without a required field goes to quarantine alone."""
    if not plugin.kind.streams:
        raise NotApplicable("no stream is declared")
    connector = plugin.kind(plugin.config)
    for path, stream, row in _records(plugin):
        try:
            before = _events(connector, stream, row)
        except Exception:  # noqa: S112  # check 10 says so
            continue
        try:
            after = _events(connector, stream, {**row, **STRANGE})
        except Exception as error:  # a model that forbids, or a normalize that stumbles
            yield Finding("strangers.unknown", _forbids(path.name, stream, told(error)))
            continue
        if after != before:
            yield Finding("strangers.unknown", f"A new field changes what {path.name} means: read the fields you know.")
    for stream in plugin.kind.streams.values():
        if not any(field.is_required() for field in stream.record.model_fields.values()):
            yield Finding(
                "strangers.missing",
                f"{stream.record.__name__} requires nothing, so anything passes for one: give its id no default.",
            )
    yield from collect(_strange_rows(plugin))


def _forbids(name: str, stream: Stream[Any], error: str) -> str:
    return (
        f"A new field that the vendor adds breaks {name} ({error}): set "
        f'model_config = ConfigDict(extra="ignore") in {stream.record.__name__}.'
    )


async def _strange_rows(plugin: Plugin) -> AsyncIterator[Finding]:
    for stream in plugin.polled:
        async with stage(plugin) as trial:
            found = await filled(trial, stream)
            if not found.works:
                continue
            held = trial.vendor.held[stream.name]
            trial.vendor.held[stream.name] = [{**row, **STRANGE} for row in held]
            async with trial.connector() as connector:
                reading = await read(connector, stream)
            if reading.error is not None or reading.bad:
                why = told(reading.error) if reading.error else reading.bad[0].reason
                yield Finding("strangers.unknown", _forbids(f"the stream {stream.name}", stream, why))
            for name in _required(stream, held[1]):
                trial.vendor.held[stream.name] = [
                    {key: value for key, value in row.items() if number != 1 or key != name}
                    for number, row in enumerate(held)
                ]
                async for finding in _one_bad_row(trial, stream, name, found.reading.ids):
                    yield finding


def _required(stream: Stream[Any], row: dict[str, Any]) -> list[str]:
    names = [field.alias or name for name, field in stream.record.model_fields.items() if field.is_required()]
    return [name for name in names if name in row]


async def _one_bad_row(trial: Trial, stream: Stream[Any], name: str, ids: set[str]) -> AsyncIterator[Finding]:
    failures = len(trial.weather.failures)
    async with trial.connector() as connector:
        reading = await read(connector, stream)
    if len(trial.weather.failures) > failures:
        return  # the double cannot answer without that field: nothing is known about the connector
    if reading.error is not None and meaning(reading.error) is None:
        yield Finding(
            "strangers.missing",
            f"One row of {stream.name} without {name!r} fails the whole page ({told(reading.error)}): yield rows as "
            "they came, the host judges each by the model.",
        )
    elif reading.error is None and (lost := len(ids) - len(reading.ids) - len(reading.bad)) > 0:
        yield Finding(
            "strangers.missing",
            f"A row of {stream.name} without {name!r} costs {lost} others: yield rows as they came.",
        )
