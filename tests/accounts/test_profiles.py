"""What vendors tell adds up to the same profile in whatever order it arrives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.accounts.profiles import Profile, Source, account_facts, combined, person_facts, told

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(hours: int, **attributes: Any) -> Profile:
    return told(attributes, START + timedelta(hours=hours))


PROFILES = st.builds(
    told,
    st.dictionaries(st.sampled_from(["name", "plan", "seats"]), st.none() | st.integers(0, 3) | st.text(max_size=2)),
    st.integers(0, 3).map(lambda hours: START + timedelta(hours=hours)),
)


@given(PROFILES, PROFILES, PROFILES)
def test_profiles_combine_in_any_order(one: Profile, two: Profile, three: Profile) -> None:
    """Combining is commutative, associative and idempotent."""
    assert combined(one, two) == combined(two, one)
    assert combined(combined(one, two), three) == combined(one, combined(two, three))
    assert combined(combined(one, two), two) == combined(one, two)


def test_a_newer_part_takes_nothing_else_away() -> None:
    """Each attribute has its own time; an older one that comes late changes nothing."""
    known = combined(combined(at(2, plan="growth"), at(1, name="Acme", plan="starter")), at(0, name="Old"))
    assert known.attributes == {"plan": "growth", "name": "Acme"}
    assert known.newest == START + timedelta(hours=2)


def test_times_count_as_moments() -> None:
    """The same moment in two time zones is the same time."""
    there = datetime(2026, 1, 1, 3, tzinfo=timezone(timedelta(hours=2)))
    assert told({"plan": "a"}, there) == at(1, plan="a")


def test_what_json_does_not_know_is_refused() -> None:
    """An infinite number and a naive time have no meaning."""
    with pytest.raises(ValueError, match="inf"):
        at(0, seats=float("inf"))
    with pytest.raises(ValueError, match="aware"):
        told({"name": "Acme"}, datetime(2026, 1, 1))  # noqa: DTZ001  # naive on purpose


def source(number: int, place: str, profile: Profile, *keys: tuple[str, str]) -> Source:
    return Source(UUID(int=number), place, keys, profile)


def test_an_account_is_what_its_sources_say() -> None:
    """Each attribute is the newest of all sources; a source that knows none takes nothing away."""
    facts = account_facts(
        [
            source(1, "group:1", at(1, name="Acme Inc", plan="growth", time_zone="Europe/Vienna", owner="kim")),
            source(2, "customer:1", at(2, name=None, plan="scale", time_zone="Mars/Base", employees=12)),
        ]
    )
    assert (facts.name, facts.owner, facts.time_zone) == ("Acme Inc", "kim", "UTC")
    assert facts.facts == {"plan": "scale", "employees": 12}


def test_an_account_without_a_name_goes_by_its_domain_or_place() -> None:
    """A company's domain does; a mailbox provider's is nobody's."""
    acme = ("domain", "acme.example")
    assert account_facts([source(1, "customer:1", Profile(), acme)]).name == "acme.example"
    assert account_facts([source(1, "customer:1", at(0, domain="WWW.Acme.example"))]).domain == "acme.example"
    nobody = account_facts([source(2, "customer:2", at(0, domain="gmail.com"), ("domain", "gmail.com"))])
    assert (nobody.name, nobody.domain) == ("customer:2", None)


def test_a_person_is_what_their_sources_say() -> None:
    """The address is the told one, or else the first of those asserted; a role is one word."""
    facts = person_facts(
        [
            source(1, "user:7", at(1, name="Ann", role="End User", title=" ")),
            source(2, "contact:1", Profile(), ("email", "b@acme.example"), ("email", "a@acme.example")),
        ]
    )
    assert (facts.name, facts.role, facts.title, facts.email) == ("Ann", "end_user", None, "a@acme.example")
