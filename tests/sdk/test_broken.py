"""The kit is tested by broken connectors: it fails on each at exactly its check, and on a good one at none."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest

from hub.cli.plugin.writing import write_plugin
from hub.sdk.testing import CHECKS, State, Verdict, judge
from hub.sdk.testing.conformance import ASPECTS
from hub.sdk.testing.plugin import at
from tests.sdk.broken import Broken

EVERY = os.environ.get("HUB_TEST_EVERY_CHECK")
"""Set: all sixteen checks on every broken connector, and not on the first of each check alone."""

BROKEN: list[tuple[int, Broken]] = [
    (check.number, one) for check in CHECKS for one in import_module(f"tests.sdk.broken.check_{check.number:02}").BROKEN
]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plugin that the generator writes, with everything."""
    root = tmp_path_factory.mktemp("good") / "acme"
    with forgotten():
        write_plugin(root, "acme", webhook=True, action=True)
    return root


@contextmanager
def forgotten() -> Iterator[None]:
    """Modules and paths of a plugin are gone afterwards: the next one has the same names."""
    paths = list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = paths
        for name in [name for name in sys.modules if name.startswith(("hub_acme", "_plugin_"))]:
            del sys.modules[name]


def verdicts(root: Path, only: int | None = None) -> list[Verdict]:
    """What the whole kit, or one check of it, says of a plugin's folder."""
    with forgotten():
        [plugin] = at(root)
        return [judge(check, plugin) for check in CHECKS if only in (None, check.number)]


def test_a_good_connector_passes_every_check(good: Path) -> None:
    """And every check applies to it."""
    assert [
        (verdict.check.number, verdict.text) for verdict in verdicts(good) if verdict.state is not State.PASSED
    ] == []


@pytest.mark.parametrize(
    ("number", "one"), BROKEN, ids=[f"{number}: {one.name}".replace(" ", "_") for number, one in BROKEN]
)
def test_a_broken_connector_fails_at_exactly_its_check(good: Path, tmp_path: Path, number: int, one: Broken) -> None:
    """What is wrong is found, where it belongs, and nothing else is blamed."""
    root = shutil.copytree(good, tmp_path / "acme", ignore=shutil.ignore_patterns("__pycache__"))
    one.spoil(root)
    is_first = one is next(other for its, other in BROKEN if its == number)
    found = verdicts(root, None if EVERY or is_first else number)
    failed = [verdict for verdict in found if verdict.state is State.FAILED]
    assert [verdict.check.number for verdict in failed] == [number], [verdict.text for verdict in failed]
    assert {finding.aspect for finding in failed[0].findings} == set(one.aspects.split()), failed[0].text


def test_every_aspect_has_a_broken_connector() -> None:
    """No check can be asked for that was never seen to fail."""
    assert {aspect for _, one in BROKEN for aspect in one.aspects.split()} == ASPECTS
