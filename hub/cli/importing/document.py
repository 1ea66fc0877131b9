"""The mapping: a small YAML or JSON document that says which column is which field, and how its cells are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from hub.cli.importing.fields import FieldOf
from hub.kit.errors import Invalid

ALL_OTHERS = "*"


class Document(BaseModel):
    """The mapping as it is written."""

    model_config = ConfigDict(extra="forbid")

    stream: str
    columns: dict[str, str] = Field(min_length=1)
    attributes: list[str] | str = Field(default_factory=list)
    identities: dict[str, str] = Field(default_factory=dict)
    constants: dict[str, str | int | float] = Field(default_factory=dict)
    decimal: str = Field(".", pattern=r"^[.,]$")
    dates: str | None = None
    time_zone: str = "UTC"
    delimiter: str | None = Field(None, min_length=1, max_length=1)
    encoding: str | None = None

    @field_validator("time_zone")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("no time zone of that name: write for example Europe/Berlin")
        return value

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


@dataclass(frozen=True, slots=True)
class Columns:
    """The mapping applied to a header: which position is which field, attribute and identity."""

    fields: Sequence[tuple[FieldOf, int]]
    attributes: Sequence[tuple[str, int]]
    identities: Sequence[tuple[str, int]]


def load(path: Path) -> Document:
    """Read a mapping. Raises `Invalid`, naming what is wrong."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.", remedy="Make one: hub import FILE --guess") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} is neither YAML nor JSON: {error}", remedy="See plugins/csv/README.md.") from None
    try:
        return Document.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Invalid(
            f"{path}: {where or 'the mapping'}: {first['msg']}", remedy="See plugins/csv/README.md."
        ) from None


def write(document: Document, path: Path) -> None:
    """Write a mapping that `load` reads. Raises `Invalid` when there is a file already."""
    if path.exists():
        raise Invalid(f"{path} exists.", remedy="Name another file with --map, or remove it.")
    content = document.model_dump(exclude_defaults=True)
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")


def applied(document: Document, known: Mapping[str, FieldOf], header: Sequence[str]) -> Columns:
    """Find the mapping's columns in a header. Raises `Invalid` for a field, a column, or a need that is not there."""
    positions = {title: position for position, title in enumerate(header)}
    for field in (*document.columns, *document.constants):
        if field not in known:
            raise Invalid(f"{document.stream} has no field {field!r}.", remedy=f"Its fields: {', '.join(known)}")
    given = {*document.columns, *document.constants}
    if missing := [field.name for field in known.values() if field.required and field.name not in given]:
        raise Invalid(
            f"{document.stream} needs {' and '.join(missing)}.", remedy="Name the column under columns, or a constant."
        )

    def position(title: str) -> int:
        if title not in positions:
            raise Invalid(f"The file has no column {title!r}.", remedy=f"It has: {', '.join(header[:50])}")
        return positions[title]

    fields = [(known[name], position(title)) for name, title in document.columns.items()]
    identities = [(kind, position(title)) for kind, title in document.identities.items()]
    taken = {position for _, position in (*fields, *identities)}
    listed = [document.attributes] if isinstance(document.attributes, str) else document.attributes
    others = [title for title, at in positions.items() if at not in taken] if ALL_OTHERS in listed else listed
    return Columns(fields, [(title, position(title)) for title in others], identities)
