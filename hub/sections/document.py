"""The sections of all rooms, and a whole document checked against them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from hub.blueprint import service as blueprint
from hub.blueprint.problems import BlueprintInvalid, Problem, in_reading_order
from hub.blueprint.service import Blueprint, Document
from hub.digests.section import Digest
from hub.health import rules as health
from hub.health.section import Alerts, Profiles
from hub.journeys import rules as journeys
from hub.journeys.section import Journeys, Segments
from hub.measures.section import Catalogue
from hub.measures.usage import Usage
from hub.plays.budget import ContactBudget
from hub.plays.business_time import BusinessHours
from hub.plays.section import Plays
from hub.plays.team import Team

SECTIONS: Mapping[str, type[BaseModel]] = {
    "segments": Segments,
    "journeys": Journeys,
    "usage": Usage,
    "measures": Catalogue,
    "profiles": Profiles,
    "alerts": Alerts,
    "plays": Plays,
    "contact_budget": ContactBudget,
    "business_hours": BusinessHours,
    "team": Team,
    "digest": Digest,
}
"""The sections of a blueprint, in the order in which a reader meets them."""


def check(document: Mapping[str, Any]) -> Blueprint:
    """The document, every section and every name between them checked. Raises `BlueprintInvalid` with all faults."""
    return blueprint.check(document, SECTIONS, (journeys.problems, health.problems, _plays))


def read(path: Path | None) -> Document:
    """Read and check a blueprint; without a path the shipped one. Raises `BlueprintInvalid`, `NotFound`."""
    return checked(lambda: blueprint.read_document(path or blueprint.shipped_path()))


def checked(read_it: Callable[[], Document]) -> Document:
    """What is read, checked; what is wrong with how it is written and with what it says is told together.

    Raises `BlueprintInvalid`.
    """
    try:
        document = read_it()
    except BlueprintInvalid as badly_written:
        problems = list(badly_written.problems)
        if badly_written.document is not None:
            try:
                check(badly_written.document)
            except BlueprintInvalid as invalid:
                told = {problem.path for problem in problems}
                problems += [problem for problem in invalid.problems if problem.path not in told]
        raise BlueprintInvalid(sorted(problems, key=in_reading_order)) from None
    check(document)
    return document


def _plays(checked: Blueprint) -> Iterator[Problem]:
    plays = checked.section("plays", Plays)
    others = (checked.section("alerts", Alerts), checked.section("journeys", Journeys), checked.section("team", Team))
    for path, message in plays.problems(*others):
        yield Problem(("plays", *path), message)
    yield from journeys.unreadable("plays", plays.rules(), journeys.known_names(checked))


def json_schema() -> dict[str, Any]:
    """One JSON Schema for the document, so that editors complete and check it while somebody writes.

    Nothing is required at the top: a file may be a part of a folder that is one document.
    """
    definitions: dict[str, Any] = {}
    sections: dict[str, Any] = {}
    for name, model in SECTIONS.items():
        schema = model.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
        definitions |= {f"{name}.{inner}": _closed(found) for inner, found in schema.pop("$defs", {}).items()}
        sections[name] = _closed(schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Blueprint",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "blueprint": {"const": 1, "description": "The format."},
            "name": {"type": "string", "description": "The blueprint's name."},
            **sections,
        },
        "$defs": definitions,
    }


def _closed(schema: Any) -> Any:
    """The schema, in which a mapping of names takes no key that is not a name."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(part) for key, part in schema.items()}
    return closed | {"additionalProperties": False} if "patternProperties" in closed else closed
