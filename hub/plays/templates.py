"""Texts with places for names: Jinja in its sandbox, where a name that does not exist is an error and not a blank.

A template is checked when the blueprint is: once with everything known about account and person, and once with only
what is known of every account and person. So `{{ acount.name }}` is found before it is sent, and so is
`{{ person.name }}`, which would greet somebody with nothing: a value that may be missing has to say what stands in for
it, as in `{{ person.name or "there" }}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, Final

from jinja2 import ChainableUndefined, StrictUndefined, Template, TemplateError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from hub.kit.errors import Invalid

MAX_TEMPLATE = 10_000
MAX_TEXT = 100_000

EXAMPLE_ACCOUNT: Final = {
    "id": "0198a5b4-6c1e-7d3a-9f7b-0c8de2f0a111",
    "name": "Example Ltd",
    "domain": "example.com",
    "owner": "sam@example.net",
    "time_zone": "Europe/Berlin",
}
EXAMPLE_PERSON: Final = {
    "id": "0198a5b4-6c1e-7d3a-9f7b-0c8de2f0a222",
    "name": "Ada Example",
    "email": "ada@example.com",
    "user": "user-17",
    "role": "champion",
    "title": "Head of Examples",
}
EXAMPLE_PLAY: Final = {"name": "example", "run_id": "0198a5b4-6c1e-7d3a-9f7b-0c8de2f0a333"}
EXAMPLES: Final = {"account": EXAMPLE_ACCOUNT, "person": EXAMPLE_PERSON, "play": EXAMPLE_PLAY}
ALWAYS_KNOWN: Final = {"account": ("id", "name", "time_zone"), "person": ("id",), "play": ("name", "run_id")}


FILTERS: Final = (
    "abs", "capitalize", "d", "default", "first", "float", "int", "join", "last", "length", "lower", "max", "min",
    "replace", "round", "sort", "sum", "title", "trim", "truncate", "unique", "upper",
)  # fmt: skip


class _Missing(StrictUndefined):
    """A name that does not exist."""

    @property
    def _undefined_message(self) -> str:
        return self._undefined_hint or f"there is no {self._undefined_name!r}"


class _Environment(ImmutableSandboxedEnvironment):
    """The sandbox, without calls, and without operators that make much out of little."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "**" or not all(isinstance(side, (int, float)) for side in (left, right)):
            raise SecurityError(f"the operator {operator} is for numbers only")
        return super().call_binop(context, operator, left, right)

    def call(self, *_of: Any, **_with: Any) -> Any:
        raise SecurityError("templates call nothing; use a filter, as in {{ account.name|upper }}")


def _known(value: Any) -> Any:
    if value is None:
        raise TemplateError('a value may be unknown; say what stands in for it, as in {{ person.name or "there" }}')
    return value


_environment = _Environment(undefined=_Missing, finalize=_known, autoescape=False)
_environment.globals.clear()
_environment.filters = {name: _environment.filters[name] for name in FILTERS}


def render(value: Any, names: Mapping[str, Any]) -> Any:
    """Fill in every text inside a JSON value; everything else in it stays as it is.

    Raises `Invalid` naming the part that cannot be filled in and why.
    """
    return _render(value, {name: _readable(known) for name, known in names.items()}, ())


def check_template(value: Any, *, person: bool = True, facts: bool = False) -> None:
    """Raises `ValueError` where a template in the JSON value could not be filled in for some account or person.

    `person`: whether a step of this kind is about one person. `facts`: whether it may speak of what `facts` knows.
    """
    examples = {name: example for name, example in EXAMPLES.items() if person or name != "person"}
    sparse = {
        name: {part: known if part in ALWAYS_KNOWN[name] else None for part, known in example.items()}
        for name, example in examples.items()
    }
    try:
        for names, score in ((examples, 82.5), (sparse, None)):
            known = {"external": ChainableUndefined(), "health": {"band": "green", "score": score}} if facts else {}
            account = {**names["account"], **known}
            render(value, {**names, "account": account, "trigger": ChainableUndefined()})
    except Invalid as error:
        raise ValueError(error.message) from None


def _readable(value: Any) -> Any:
    """Mappings as objects, so that `trigger.values` is what the trigger holds and not a method of a dict."""
    if isinstance(value, Mapping):
        return SimpleNamespace(**{str(name): _readable(part) for name, part in value.items()})
    return [_readable(part) for part in value] if isinstance(value, (list, tuple)) else value


def _render(value: Any, names: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        return _render_text(value, names, path)
    if isinstance(value, Mapping):
        return {key: _render(part, names, (*path, str(key))) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_render(part, names, (*path, str(index))) for index, part in enumerate(value)]
    return value


def _render_text(text: str, names: Mapping[str, Any], path: tuple[str, ...]) -> str:
    if "{" not in text:
        return text
    if len(text) > MAX_TEMPLATE:
        raise Invalid(f"The template has more than {MAX_TEMPLATE:,} characters.", path=path)
    try:
        rendered = _compiled(text).render(names)
    except Exception as error:  # a template is a small program: it may divide by zero, compare text with numbers, …
        where = f" ({'.'.join(path)})" if path else ""
        raise Invalid(f"The template {text[:80]!r}{where} cannot be filled in: {error}", path=path) from error
    if len(rendered) > MAX_TEXT:
        raise Invalid(f"The text has more than {MAX_TEXT:,} characters.", path=path)
    return rendered


@lru_cache(maxsize=1024)
def _compiled(text: str) -> Template:
    return _environment.from_string(text)
