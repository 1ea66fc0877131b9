"""What is in the box keeps the whole contract, so that nobody can forget it for a new plugin."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from hub.sdk.plugins import registered
from hub.sdk.testing import CHECKS
from hub.sdk.testing.conformance import required
from hub.sdk.testing.plugin import called_by, entry_points_of

BOX = Path(__file__).resolve().parents[1] / "plugins"
PLUGINS = sorted(path.parent for path in BOX.glob("*/pyproject.toml"))


def test_the_box_is_found() -> None:
    """The folders of the box are where this test looks for them."""
    assert len(PLUGINS) > 5


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda path: path.name)
def test_a_plugin_of_the_box_is_tried_by_every_check(folder: Path) -> None:
    """Each of its connectors claims gold and its own tests call the kit: so all sixteen checks are carried out."""
    called = called_by(folder / "tests")
    entered = entry_points_of(folder).items()
    offered = {kind.id for name, module in entered for kind in registered(importlib.import_module(module), name)}
    assert {plugin.kind.id for plugin in called} == offered, "write TestAcme = sdk.testing.conformance(Acme)"
    assert {plugin.kind.tier for plugin in called} == {"gold"}
    assert all(required(check, "gold") for check in CHECKS)
