"""The blueprint in the box is valid as a whole, and says of every entry which advice it carries out."""

from __future__ import annotations

import re

from hub import sections
from hub.blueprint.problems import Path, place_of
from hub.blueprint.service import Blueprint, read_document, shipped_path
from hub.health.rules import ready
from hub.health.section import Indicator, Profiles
from hub.journeys.rules import ready as ready_journeys
from hub.measures.section import Catalogue
from hub.plays.section import Plays

FIRST_LINE = "# yaml-language-server: $schema=../../../schema/blueprint.schema.json"


def shipped() -> Blueprint:
    return sections.check(read_document(shipped_path()))


def test_every_section_and_every_name_between_them_is_right() -> None:
    """The whole document passes the check that any document has to pass; every profile has the five indicators."""
    profiles = shipped().section("profiles", Profiles).root
    assert all(set(profile.indicators) == set(Indicator) for profile in profiles.values())


def test_every_file_tells_editors_its_schema() -> None:
    """So that they complete and check each part of the folder by itself."""
    for file in sorted(shipped_path().glob("*.yaml")):
        assert file.read_text().splitlines()[0] == FIRST_LINE, file
        assert (file.parent / FIRST_LINE.partition("$schema=")[2]).is_file()


def test_every_entry_says_which_advice_it_carries_out() -> None:
    """A comment stands right above each segment, stage, milestone, transition, profile, indicator, alert and play."""
    document = read_document(shipped_path())
    entries: list[Path] = [(section, name) for section in ("segments", "alerts", "plays") for name in document[section]]
    for segment, journey in document["journeys"].items():
        for stage, inside in journey["stages"].items():
            here = ("journeys", segment, "stages", stage)
            entries += [here, *((*here, "milestones", name) for name in inside.get("milestones", ()))]
        entries += [("journeys", segment, "transitions", number) for number in range(len(journey["transitions"]))]
    for profile, inside in document["profiles"].items():
        entries += [
            ("profiles", profile),
            *(("profiles", profile, "indicators", name) for name in inside["indicators"]),
        ]
    lines = {str(file): file.read_text().splitlines() for file in shipped_path().glob("*.yaml")}
    assert len(entries) > 130
    for entry in entries:
        place = place_of(document, entry)
        assert place is not None
        assert lines[place.file][place.line - 2].lstrip().startswith("# "), (entry, place)


def test_every_measure_is_asked_for() -> None:
    """By a rule, a profile or another measure: what nobody asks for is only work."""
    blueprint = shipped()
    catalogue = blueprint.section("measures", Catalogue)
    health, journeys = ready(blueprint), ready_journeys(blueprint)
    asked = {"mrr"}  # what an entry of the watch list is worth
    asked |= {used for name in catalogue for _, used in catalogue.inputs(name)}
    for profile in health.profiles.values():
        asked |= {measure for _, measure, _ in profile.definition.measures()}
        asked |= {name for _, rule in profile.caps for name in rule.names} | (
            profile.purple.names if profile.purple else set()
        )
    asked |= {name for alert in health.alerts for name in alert.rule.names}
    asked |= {name for _, rule in journeys.segments if rule for name in rule.names}
    for journey in journeys.journeys.values():
        asked |= {name for _, rule in journey.transitions for name in rule.names}
        asked |= {name for found in journey.milestones.values() for one in found if one.rule for name in one.rule.names}
    for _, rule in blueprint.section("plays", Plays).rules():
        asked |= set(re.findall(r"[a-z_0-9]+", rule))
    assert set(catalogue) - asked == set()
