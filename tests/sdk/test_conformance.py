"""The class that the kit makes: tests by tier, exemptions with reasons, double and fixtures found beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub import sdk
from hub.sdk.testing import CHECKS, Finding, NotAPlugin, Plugin, State, judge, tier_reached
from hub.sdk.testing.plugin import at, of
from hub.sdk.testing.verdicts import Check, Verdict
from tests.sdk.test_declarations import Desk


def methods_of(tier: Any, folder: Path) -> list[str]:
    (folder / "pyproject.toml").touch()
    (folder / "tests").mkdir(exist_ok=True)
    found = sdk.testing.conformance(type("Tiered", (Desk,), {"tier": tier}), folder=folder / "tests")
    return [name for name in vars(found) if name.startswith("test_")]


@pytest.mark.parametrize(("tier", "number"), [("bronze", 8), ("silver", 12), ("gold", 16), (None, 16)])
def test_a_tier_asks_for_its_checks(tmp_path: Path, tier: str | None, number: int) -> None:
    """And for those below; without one for all."""
    assert len(methods_of(tier, tmp_path)) == number


def test_an_exemption_that_there_is_none_is_refused(tmp_path: Path) -> None:
    """With those that there are."""
    with pytest.raises(ValueError, match="there is no 'everything'"):
        sdk.testing.conformance(Desk, folder=tmp_path, exempt={"everything": "because"})


def judged(exempt: dict[str, str]) -> Verdict:
    check = Check(1, "colours", "Colours", "bronze", ("red", "blue"), lambda plugin: [Finding("red", "It is red.")])
    return judge(check, Plugin(Desk, Path(), Path(), exempt=exempt))


def test_an_exemption_excuses_its_aspect_and_tells_why() -> None:
    """And nothing else."""
    assert judged({}).state is State.FAILED
    excused = judged({"red": "the vendor knows no other colour"})
    assert (excused.state, excused.exempt) == (State.PASSED, (("red", "the vendor knows no other colour"),))


@pytest.mark.parametrize(
    ("aspect", "reason", "said"), [("blue", "who knows", "excuses nothing"), ("red", " ", "no reason")]
)
def test_an_exemption_has_to_be_needed_and_explained(aspect: str, reason: str, said: str) -> None:
    """Otherwise it is a finding itself."""
    assert said in judged({aspect: reason}).text


def test_a_tier_is_reached_when_nothing_of_it_fails() -> None:
    """Nor of those below."""
    passed = [Verdict(check, State.PASSED) for check in CHECKS]
    assert tier_reached(passed) == "gold"

    def without(number: int) -> list[Verdict]:
        return [Verdict(one.check, State.FAILED) if one.check.number == number else one for one in passed]

    assert (tier_reached(without(13)), tier_reached(without(7)), tier_reached(without(1))) == ("silver", "bronze", None)


def test_a_folder_that_is_no_plugin_is_told_what_it_lacks(tmp_path: Path) -> None:
    """No distribution, no entry point, no configuration, no double."""
    with pytest.raises(NotAPlugin, match="hub plugin new"):
        at(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    with pytest.raises(NotAPlugin, match="declares no entry point"):
        at(tmp_path)
    plugin = of(Desk, tmp_path / "tests")
    with pytest.raises(NotAPlugin, match="a configuration with invented values for subdomain"):
        _ = plugin.config
    with pytest.raises(NotAPlugin, match="a subclass of sdk"):
        plugin.new_vendor()
