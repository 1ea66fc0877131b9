"""Plugins: each is loaded for itself, and a broken one is listed and hinders nobody."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from hub.connections import registry
from hub.connections.registry import GROUP, BrokenPlugin, Registry, load
from hub.kit.errors import NotFound
from hub.sdk.plugins import InvalidConnector
from tests.connections.vendor import Surveys

GOOD = """
from pydantic import BaseModel
from hub import sdk

class Config(BaseModel):
    url: str

class {cls}(sdk.Connector[Config]):
    id, name, Config, api = "{id}", "{cls}", Config, {api}
    async def check(self): return "t"

@sdk.hookimpl
def {hook}(register):
    register({cls})
    {then}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to import from, forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def plugin(
    folder: Path,
    name: str,
    *,
    connector: str | None = None,
    hook: str = "hub_register_connectors",
    then: str = "",
    api: int = 1,
    source: str | None = None,
) -> EntryPoint:
    """Write a plugin's module and name its entry point."""
    text = GOOD.format(cls=name.title(), id=connector or name, hook=hook, then=then, api=api)
    (folder / f"plugin_{name}.py").write_text(text if source is None else source)
    return EntryPoint(name, f"plugin_{name}", GROUP)


BREAKING = {
    "raises at import": {"source": "raise RuntimeError('no library')"},
    "is not there": {"source": "import a_library_that_is_not_there"},
    "has a misspelled hook": {"hook": "hub_register_connector"},
    "fails after registering": {"then": "raise RuntimeError('half-way')"},
    "exits": {"then": "raise SystemError('half-way')"},
    "registers nothing": {"source": "x = 1"},
    "speaks another version": {"api": 9},
    "takes another's id": {"connector": "alpha"},
    "is not a connector": {
        "source": GOOD.format(cls="A", id="a", hook="hub_register_connectors", then="register(int)", api=1)
    },
}


@pytest.mark.parametrize("how", BREAKING)
def test_a_broken_plugin_is_listed_and_hinders_nobody(folder: Path, how: str) -> None:
    """However a plugin breaks, those before and after it are there, nothing of it is, and its error is shown."""
    points = [
        plugin(folder, "alpha"),
        plugin(folder, "broken", **BREAKING[how]),  # type: ignore[arg-type]
        plugin(folder, "omega"),
    ]
    with capture_logs() as logs:
        found = load(points)
    assert sorted(found.connectors) == ["alpha", "omega"]
    assert [broken.name for broken in found.broken] == ["broken"]
    assert found.broken[0].error
    assert found.broken[0].connectors == ()
    assert [log["plugin"] for log in logs] == ["broken"]


@pytest.mark.parametrize("how", BREAKING)
def test_strictly_a_broken_plugin_stops_the_hub(folder: Path, how: str) -> None:
    """With HUB_STRICT_PLUGINS the same is an error that names the plugin."""
    points = [plugin(folder, "alpha"), plugin(folder, "broken", **BREAKING[how])]  # type: ignore[arg-type]
    with pytest.raises(BrokenPlugin, match="'broken' cannot be loaded"):
        load(points, strict=True)


def test_the_plugins_in_the_box_load() -> None:
    """The installed plugins register their connectors without a complaint."""
    found = load(entry_points(group=GROUP), strict=True)
    assert {"email", "inapp", "segment", "stripe"} <= set(found.connectors)
    assert found.broken == ()


def test_the_current_registry_can_be_another_for_a_while() -> None:
    """Inside `using` the process has just the given connectors, afterwards its own again."""
    with registry.using(Registry.of(Surveys)) as given:
        assert registry.current() is given
        assert list(given.connectors) == ["surveys"]
    assert registry.current() is not given


def test_an_unknown_connector_is_told_with_those_that_are_there() -> None:
    """Asking for a connector that is not installed says what is."""
    with pytest.raises(NotFound, match="installed: surveys"):
        Registry.of(Surveys).connector("survey")


def test_the_same_id_twice_is_refused() -> None:
    """Two classes of one id cannot be told apart."""
    with pytest.raises(InvalidConnector, match="is taken"):
        Registry.of(Surveys, Surveys)
