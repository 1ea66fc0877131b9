"""The blueprint put together.

Each room owns the model of its own section and knows what must fit between it and the sections below; here is the list
of them, so that a whole document can be checked at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from hub.blueprint import service as blueprint
from hub.blueprint.problems import Problem
from hub.blueprint.service import Blueprint, Document
from hub.health import rules as health
from hub.health.section import Alerts, Profiles
from hub.journeys import rules as journeys
from hub.journeys.section import Journeys, Segments
from hub.measures.section import Catalogue
from hub.measures.usage import Usage
from hub.plays.section import Plays

SECTIONS: Mapping[str, type[BaseModel]] = {
    "segments": Segments,
    "journeys": Journeys,
    "usage": Usage,
    "measures": Catalogue,
    "profiles": Profiles,
    "alerts": Alerts,
    "plays": Plays,
}
"""The sections of a blueprint, in the order in which a reader meets them."""


def check(document: Mapping[str, Any]) -> Blueprint:
    """The document, every section and every name between them checked. Raises `BlueprintInvalid` with all faults."""
    return blueprint.check(document, SECTIONS, (journeys.problems, health.problems, _plays))


def read(path: Path | None) -> Document:
    """Read and check a blueprint; without a path the shipped one. Raises `BlueprintInvalid`, `NotFound`."""
    document = blueprint.read_document(path or blueprint.shipped_path())
    check(document)
    return document


def _plays(checked: Blueprint) -> Iterator[Problem]:
    plays = checked.section("plays", Plays)
    for path, message in plays.problems(checked.section("alerts", Alerts), checked.section("journeys", Journeys)):
        yield Problem(("plays", *path), message)


def json_schema() -> dict[str, Any]:
    """One JSON Schema for the document, so that editors complete and check it while somebody writes."""
    definitions: dict[str, Any] = {}
    sections: dict[str, Any] = {}
    for name, model in SECTIONS.items():
        schema = model.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
        definitions |= {f"{name}.{inner}": found for inner, found in schema.pop("$defs", {}).items()}
        sections[name] = schema
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Blueprint",
        "type": "object",
        "required": ["blueprint", "name"],
        "additionalProperties": False,
        "properties": {
            "blueprint": {"const": 1, "description": "The format."},
            "name": {"type": "string", "description": "The blueprint's name."},
            **sections,
        },
        "$defs": definitions,
    }
