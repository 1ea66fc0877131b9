"""Holding a document against the models of its sections, and saying of every fault where it stands and what
was meant.

Each room owns the model of its own section; the list of them, and the checks that go across sections (does a
rule name a measure that exists?), are put together above all rooms and handed in here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from hub.blueprint.problems import BlueprintInvalid, Document, Path, Problem, did_you_mean, in_reading_order, place_of
from hub.blueprint.pruning import Remainder
from hub.blueprint.schemas import keys_at
from hub.blueprint.values import NAME_PATTERN

FORMAT = 1
DOCUMENT = "document"
"""Under this name a section's validators find the whole document in their context."""
HEADER = ("blueprint", "name")
_MISSING = "is required"
_FORMS = {NAME_PATTERN: "must be made of lower-case letters, digits and underscores, and begin with a letter"}

Section = TypeVar("Section", bound=BaseModel)
CrossCheck = Callable[["Blueprint"], Iterable[Problem]]
"""Looks at several sections at once; reads them by `Blueprint.section`. What is broken in a section by itself was left
out of it before (see `pruning`)."""


class Coherent(ABC):
    """A section whose entries refer to one another, and that says itself what does not fit."""

    @abstractmethod
    def problems(self) -> Iterable[tuple[Path, str]]:
        """Each problem with its way inside the section."""


class Blueprint:
    """One version of the document. Sections are validated when first asked for, and kept."""

    def __init__(self, version: int, document: Mapping[str, Any]) -> None:
        self.version = version
        self.document = document
        self._sections: dict[tuple[str, type[BaseModel]], BaseModel] = {}

    def section(self, name: str, model: type[Section]) -> Section:
        """The section as its room's model; an absent one is validated as an empty one. Raises
        `BlueprintInvalid`.
        """
        found = self._sections.get((name, model))
        if not isinstance(found, model):
            found = self._sections[name, model] = _section(self.document, name, model)
        return found


def check(
    document: Mapping[str, Any],
    sections: Mapping[str, type[BaseModel]],
    cross_checks: Iterable[CrossCheck] = (),
) -> Blueprint:
    """The document as a blueprint that has no version yet (0), all of its sections valid.

    Raises `BlueprintInvalid` with all problems of all sections, and between them, at once.
    """
    problems = list(_header(document, sections))
    blueprint = Blueprint(0, document)
    remainder = Remainder(document)
    for name, model in sections.items():
        try:
            blueprint.section(name, model)
        except BlueprintInvalid as invalid:
            problems += [*invalid.problems, *_behind(remainder, name, model, invalid)]
    sound = Blueprint(0, remainder.document) if problems else blueprint
    if not remainder.lacks_a_section:
        problems += remainder.own(problem for cross_check in cross_checks for problem in cross_check(sound))
    if problems:
        raise BlueprintInvalid(sorted({_placed(document, found): None for found in problems}, key=in_reading_order))
    return blueprint


def _behind(remainder: Remainder, name: str, model: type[BaseModel], invalid: BlueprintInvalid) -> Iterator[Problem]:
    """Leave out of the remainder what is broken in a section until the rest of it is valid; the problems that only come
    to light then. Each time something goes, so that it comes to an end: an empty section is valid."""
    remainder.leave_out(problem.path for problem in invalid.problems)
    try:
        Blueprint(0, remainder.document).section(name, model)
    except BlueprintInvalid as still:
        # What was missing from the beginning has been told: what is missing only now was left out.
        yield from remainder.own(problem for problem in still.problems if problem.message != _MISSING)
        yield from _behind(remainder, name, model, still)


def _placed(document: Mapping[str, Any], problem: Problem) -> Problem:
    if problem.place:
        return problem
    place = place_of(document, problem.path)
    if place is None and isinstance(document, Document):
        place = next(iter(document.places.values()), None)  # a section that is not there is missed at the beginning
    return Problem(problem.path, problem.message, place)


def _header(document: Mapping[str, Any], sections: Mapping[str, type[BaseModel]]) -> Iterable[Problem]:
    if document.get("blueprint") != FORMAT or isinstance(document.get("blueprint"), bool):
        message = f"must be {FORMAT}, the only format there is"
        yield Problem(("blueprint",), message, place_of(document, ("blueprint",)))
    name = document.get("name")
    if not isinstance(name, str) or not name:
        yield Problem(("name",), "must be the name of the blueprint, as text", place_of(document, ("name",)))
    known = {*HEADER, *sections}
    for key in document:
        if key not in known:
            yield Problem((key,), f"is not a section{did_you_mean(key, known)}", place_of(document, (key,)))


def _section(document: Mapping[str, Any], name: str, model: type[Section]) -> Section:
    content = document.get(name)
    try:
        section = model.model_validate({} if content is None else content, context={DOCUMENT: document})
    except ValidationError as invalid:
        schema = model.model_json_schema()
        errors = invalid.errors(include_url=False)
        found = [_explained(error, content, schema) for error in errors if not _follows(error, errors)]
    else:
        found = list(section.problems()) if isinstance(section, Coherent) else []
    if found:
        paths = [((name, *below), message) for below, message in found]
        raise BlueprintInvalid(Problem(path, message, place_of(document, path)) for path, message in paths)
    return section


def _follows(error: Mapping[str, Any], errors: list[Any]) -> bool:
    """Whether the error says once more what another one says: a list is too short because its entries are faulty, a key
    is missing because it is misspelled."""
    location: Path = error["loc"]
    if error["type"] == "missing":
        beside = (other["loc"] for other in errors if other["type"] == "extra_forbidden")
        return any(
            other[:-1] == location[:-1] and get_close_matches(str(other[-1]), [str(location[-1])]) for other in beside
        )
    return error["type"] == "too_short" and any(
        len(other["loc"]) > len(location) and other["loc"][: len(location)] == location for other in errors
    )


def _explained(error: Mapping[str, Any], content: Any, schema: Mapping[str, Any]) -> tuple[Path, str]:
    """Pydantic's error as the way to the faulty part (below the section) and a sentence about it."""
    location: Path = error["loc"]
    way = _way(location, content, error["input"])
    match error["type"]:
        case "missing":
            return (*_way(location[:-1], content, error["input"]), location[-1]), _MISSING
        case "extra_forbidden":
            return way, f"is not known here{did_you_mean(way[-1], keys_at(schema, content, way[:-1]))}"
        case "union_tag_invalid":
            field = error["ctx"]["discriminator"].strip("'")
            expected = [tag.strip("' ") for tag in error["ctx"]["expected_tags"].split(",")]
            tag = error["ctx"]["tag"]
            return (*way, field), f"{tag!r} is not known{did_you_mean(tag, expected)}"
        case "union_tag_not_found":
            return (*way, error["ctx"]["discriminator"].strip("'")), _MISSING
        case "literal_error" | "enum":
            expected = [value.strip("' ") for value in error["ctx"]["expected"].replace(" or ", ",").split(",")]
            return way, f"{error['input']!r} is not known{did_you_mean(error['input'], expected)}"
        case "model_type" | "model_attributes_type" | "dict_type":
            return way, "must be a mapping of names to values"
        case "string_pattern_mismatch":
            return way, _FORMS.get(error["ctx"]["pattern"], f"must match {error['ctx']['pattern']}")
        case "too_short" | "too_long":
            least = error["type"] == "too_short"
            count = error["ctx"]["min_length" if least else "max_length"]
            return way, f"must have at {'least' if least else 'most'} {count} {'entry' if count == 1 else 'entries'}"
        case _:
            sentence = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
            return way, sentence[:1].lower() + sentence[1:]


def _way(location: Path, content: Any, wrong: Any = None) -> Path:
    """The way through the document that a pydantic location means; `wrong` is the value that was found there.

    Locations also name the members of unions and say `[key]`; whatever leads nowhere in the document is left out. A
    field may be called like a member of a union: of several readings that one is meant which leads to the wrong value,
    else the one that leads furthest, else the one that ends where the location ends.
    """

    def likelihood(way: Path) -> tuple[bool, int, bool]:
        found = content
        for step in way:
            found = found[step]
        return found is wrong, len(way), way[-1:] == location[-1:]

    return max(_readings(location, content), key=likelihood)


def _readings(location: Path, content: Any) -> Iterator[Path]:
    if not location:
        yield ()
        return
    first, rest = location[0], location[1:]
    here = isinstance(content, Mapping) and first in content
    if here or (isinstance(content, list) and isinstance(first, int) and first < len(content)):
        yield from ((first, *way) for way in _readings(rest, content[first]))
    yield from _readings(rest, content)
