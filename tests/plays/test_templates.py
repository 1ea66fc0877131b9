"""Templates fill in what exists, refuse what does not, and can do nothing else."""

from __future__ import annotations

import pytest

from hub.kit.errors import Invalid
from hub.plays.templates import EXAMPLE_ACCOUNT, EXAMPLE_PERSON, check_template, render

NAMES = {"account": EXAMPLE_ACCOUNT, "person": EXAMPLE_PERSON}


def test_every_text_inside_a_value_is_filled_in() -> None:
    """Texts in lists and mappings are templates; numbers, keys and plain texts stay."""
    value = {"title": "Hi {{ person.name }}", "tags": ["{{ account.domain|upper }}", 7, None], "{{ x }}": True}
    assert render(value, NAMES) == {"title": "Hi Ada Example", "tags": ["EXAMPLE.COM", 7, None], "{{ x }}": True}


def test_names_inside_a_mapping_are_its_own() -> None:
    """`trigger.values` is what the trigger holds, not something that Python's mappings can do."""
    trigger = {"values": {"nps": 9}, "items": [{"keys": "k"}]}
    assert render("{{ trigger.values.nps }} {{ trigger.items[0].keys }}", {"trigger": trigger}) == "9 k"


def test_a_value_is_never_a_template() -> None:
    """What a vendor sent is filled in as it is, even when it looks like a template."""
    names = {"account": {**EXAMPLE_ACCOUNT, "name": "{{ account.owner }}"}}
    assert render("{{ account.name }}", names) == "{{ account.owner }}"


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("{{ acount.name }}", "there is no 'acount'"),
        ("{{ account.nme }}", "there is no 'nme'"),
        ("{{ account.items }}", "there is no 'items'"),
        ("{{ account.name", "end of print statement"),
        ("{{ person.name }}", "may be unknown"),
        ("{{ account.owner }}", "may be unknown"),
        ("{{ account.name|shout }}", "No filter named 'shout'"),
    ],
)
def test_a_mistake_is_found_before_anybody_is_written_to(template: str, complaint: str) -> None:
    """Unknown names, and values that some people or accounts do not have, are refused in the blueprint."""
    with pytest.raises(ValueError, match=complaint):
        check_template({"body": template})


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ account.__dict__ }}",
        "{{ account.name.upper() }}",
        "{{ 'a' * 1000000000 }}",
        "{{ 2 ** 99999999 }}",
        "{{ '%1000000000s' % 1 }}",
        "{{ 'a'|center(1000000000) }}",
        "{% for i in range(1000000000) %}{% endfor %}",
        "{% include '/etc/passwd' %}",
        "{{ account.name }}" + " " * 10_000,
    ],
)
def test_a_template_can_do_nothing_else(template: str) -> None:
    """No way out of the sandbox, no call, and nothing that makes much out of little."""
    with pytest.raises(Invalid, match="template"):
        render(template, NAMES)


@pytest.mark.parametrize(
    "template",
    [
        "Hi {{ person.name or 'there' }}",
        "{% if person.name %}Hi {{ person.name }}{% else %}Hello{% endif %}",
        "{{ trigger.values.active_people_28d }} people left",
        "{{ 3 * 4 }}",
        "no names at all, {just} a } text",
    ],
)
def test_a_template_that_can_always_be_filled_in_is_accepted(template: str) -> None:
    """A value that may be missing needs a stand-in, nothing more."""
    check_template({"body": template})


def test_a_value_that_is_missing_after_all_is_an_error() -> None:
    """What the check could not know is found when the text is made, not sent as a blank."""
    with pytest.raises(Invalid, match="there is no 'values'"):
        render("{{ trigger.values.x }}", {"trigger": {}})
