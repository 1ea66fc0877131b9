"""The blueprint in the box is valid as a whole, and covers what a newcomer will look for."""

from __future__ import annotations

from hub import sections
from hub.blueprint.problems import Path, place_of
from hub.blueprint.service import read_document, shipped_path
from hub.health.section import Alerts, Indicator, Profiles
from hub.journeys.section import Journeys
from hub.plays.section import Plays


def test_every_section_and_every_name_between_them_is_right() -> None:
    """The whole document passes the check that any document has to pass."""
    blueprint = sections.check(read_document(shipped_path()))
    profiles = blueprint.section("profiles", Profiles).root
    assert all(set(profile.indicators) == set(Indicator) for profile in profiles.values())
    assert list(blueprint.section("journeys", Journeys).root["smb"].stages) == [
        "onboarding",
        "established",
        "pre_renewal",
    ]
    assert set(blueprint.section("alerts", Alerts).root) == {"active_people_decline"}
    steps = blueprint.section("plays", Plays).root["win_back"].steps
    assert [step.name for step in steps] == ["inapp.send_message", "Call {{ account.name }} about falling use"]


def test_every_entry_says_which_advice_it_carries_out() -> None:
    """A comment stands right above each stage, milestone, transition, indicator, alert and play."""
    document = read_document(shipped_path())
    lines = (shipped_path() / "blueprint.yaml").read_text().splitlines()
    smb = document["journeys"]["smb"]
    entries: list[Path] = [("journeys", "smb", "stages", stage) for stage in smb["stages"]]
    for stage, inside in smb["stages"].items():
        entries += [("journeys", "smb", "stages", stage, "milestones", name) for name in inside.get("milestones", ())]
    entries += [("journeys", "smb", "transitions", number) for number in range(len(smb["transitions"]))]
    entries += [("profiles", "smb", "indicators", name) for name in document["profiles"]["smb"]["indicators"]]
    entries += [(section, name) for section in ("alerts", "plays") for name in document[section]]
    assert len(entries) == 18
    for entry in entries:
        place = place_of(document, entry)
        assert place is not None
        assert lines[place.line - 2].lstrip().startswith("#"), entry
