"""Sightings add up to what is known of places and people, and to what of it is new."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from hub import sdk
from hub.accounts.places import source_account_id, source_person_id
from hub.accounts.sightings import LONGEST_KEY, Seen, asserted, news, sighting

CONNECTION = UUID(int=1)
START = datetime(2026, 1, 1, tzinfo=UTC)


def seen(*days: int, place: str = "group:1", **profile: Any) -> Seen:
    total = Seen()
    for day in days:
        account = sdk.Account(place, (sdk.keys.group("1"),), profile)
        person = sdk.Person("user:7", (sdk.keys.user("7"), sdk.keys.member_of(sdk.keys.group("1"))))
        total.add(sighting(CONNECTION, account, [person], START + timedelta(days=day)))
    return total


def test_the_first_time_the_last_day_and_all_keys_count() -> None:
    """Whatever the order, a place is known since its earliest event and a person is there until their last."""
    total = seen(5, 1, 3)
    place, person = source_account_id(CONNECTION, "group:1"), source_person_id(CONNECTION, "user:7")
    assert total.accounts[place].first_seen_at == START + timedelta(days=1)
    assert total.stays == {(person, place): date(2026, 1, 6)}
    assert total.people[person].keys == {("segment.user", "7", "is")}


def test_news_is_what_changes_something() -> None:
    """What is known already is no news; an earlier time, another key or a newer attribute is."""
    known = seen(1, name="Acme").accounts
    assert news(known, seen(1, 2).accounts) == {}
    (earlier,) = news(known, seen(0).accounts).values()
    assert (earlier.first_seen_at, earlier.keys, earlier.unresolved) == (START, set(), False)
    assert earlier.profile.attributes == {"name": "Acme"}
    assert news({}, known) == known


def test_keys_are_compared_as_they_are_stored() -> None:
    """Domains and addresses in lower case, the rest as it is; what does not fit an index keeps its difference."""
    assert asserted(sdk.Key("domain", " Acme.Example ")) == ("domain", "acme.example", "is")
    assert asserted(sdk.Key("segment.group", "A\x00b")) == ("segment.group", "A�b", "is")
    one, other = (asserted(sdk.Key("segment.group", "x" * 5000 + end))[1] for end in "ab")
    assert one != other
    assert len(one) <= LONGEST_KEY


def test_what_is_no_text_is_refused() -> None:
    """A number as key or place is a mistake of the connector."""
    with pytest.raises(ValueError, match="must be text"):
        asserted(sdk.Key("segment.group", 7))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="a place is a text"):
        sighting(CONNECTION, sdk.Account("", (sdk.keys.group("1"),)), [], START)
