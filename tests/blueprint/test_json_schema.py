"""The JSON Schema that editors use: a part of a folder is right by itself, mistakes are seen while they are made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from hub import sections
from hub.blueprint.service import read_document, read_text, shipped_path

SCHEMA = sections.json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
BROKEN = Path(__file__).parent / "broken"

SEEN = (
    "format_of_tomorrow", "name_missing_text", "section_misspelled", "section_a_list", "stage_unknown_key",
    "stage_name_with_capital", "stage_span_in_months", "transition_without_rule", "measure_kind_unknown",
    "measure_kind_missing", "measure_window_without_unit", "role_unknown", "profile_indicator_unknown",
    "profile_curve_above_hundred", "profile_weight_nothing", "alert_without_rule", "alert_severity_unknown",
    "play_trigger_unknown_kind", "play_trigger_unknown_band", "play_without_steps", "play_step_two_spans",
)  # fmt: skip
"""Broken documents whose mistake is one of form: an editor can see it. Names and rules only the check knows."""


def mistakes(document: Any) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(document)]


def test_the_schema_is_one() -> None:
    """By the rules of JSON Schema itself."""
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("file", sorted(shipped_path().glob("*.yaml")), ids=lambda file: file.stem)
def test_every_file_of_the_shipped_folder_is_right_by_itself(file: Path) -> None:
    """An editor opens one file, and shows no mistake in it."""
    assert mistakes(dict(read_document(file))) == []


def test_the_whole_language_of_plays_is_right() -> None:
    """Each kind of trigger and step, and everything around them."""
    plays = read_text(
        """
        plays:
          one:
            enabled: false
            trigger: {rule_enters: "score < 5"}
            frequency: once
            steps: [{wait: 3d, until: "score > 5"}]
          two:
            enabled: false
            level: "1:M"
            trigger: {event: ticket.created, where: {priority: [high, urgent]}}
            audience: "segment = 'smb'"
            frequency: {at_most: 1, every: 30d}
            cool_down: 7d
            priority: 3
            exit: "score > 50"
            goal: {when: "score > 70", within: 60d}
            holdout: 0.1
            steps:
              - {approve: "Go on?", due: 1d}
              - {notify: "It goes on."}
              - {set: {tone: friendly}}
              - {branch: "score < 50", then: [{task: Call}], otherwise: [{action: inapp.send_message, to: {role: any}}]}
          three: {enabled: false, trigger: {schedule: 7d, when: "score < 5"}, steps: [{task: Call}]}
        """.replace("\n        ", "\n")
    )
    assert mistakes(dict(plays)) == []
    sections.check(read_text("blueprint: 1\nname: x\n") | plays)


@pytest.mark.parametrize("name", SEEN)
def test_a_mistake_of_form_is_seen_by_an_editor(name: str) -> None:
    """Before anybody runs a command."""
    assert mistakes(dict(read_document(BROKEN / f"{name}.yaml")))


def test_everything_in_plays_has_a_description() -> None:
    """What editors show beside a word while somebody writes it."""
    silent = [
        name for name, found in SCHEMA["$defs"].items() if name.startswith("plays.") and not found.get("description")
    ]
    assert silent == []
    play = SCHEMA["$defs"]["plays.Play"]["properties"]
    assert [name for name, found in play.items() if not found.get("description")] == []
