"""The invented base: the same everywhere, believable, and with every story in it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from hub.sandbox import CompanyBase, Role, Story, invent
from hub.sandbox.names import FREE_MAIL, SHARED_BILLING_DOMAIN

from .conftest import UNTIL

FINGERPRINT = """
import hashlib, orjson
from datetime import UTC, datetime
from hub.sandbox import history, invent, invent_books
from hub.sandbox.books import Resource
from hub.sandbox.shapes import CURRENT, render

base = invent(until=datetime(2026, 11, 20, 15, 30, tzinfo=UTC), accounts=9)
books = invent_books(base)
digest = hashlib.sha256(repr(base).encode())
for message in history(base):
    digest.update(orjson.dumps(message))
for resource in Resource:
    shelf = books.shelves[resource]
    for place in range(len(shelf)):
        digest.update(orjson.dumps(render(shelf.at(place), CURRENT)))
print(digest.hexdigest())
"""


def fingerprints(*environments: dict[str, str]) -> list[str]:
    """What the base comes to in a process of its own for each of the environments."""
    started = [
        subprocess.Popen([sys.executable, "-c", FINGERPRINT], env=os.environ | one, stdout=subprocess.PIPE, text=True)
        for one in environments
    ]
    return [process.communicate(timeout=60)[0].strip() for process in started]


def test_a_seed_gives_the_same_world_in_every_process() -> None:
    """Companies, messages and Stripe objects agree to the last byte whatever the hash seed and the time zone are."""
    one, other = fingerprints({"PYTHONHASHSEED": "1", "TZ": "UTC"}, {"PYTHONHASHSEED": "2", "TZ": "Asia/Tokyo"})
    assert len(one) == 64
    assert one == other


def test_another_seed_gives_another_world(base: CompanyBase) -> None:
    """The seed decides who there is."""
    other = invent(8, until=base.until)
    assert {company.id for company in base.companies}.isdisjoint(company.id for company in other.companies)


@pytest.mark.parametrize("accounts", [9, 60, 200])
def test_every_story_is_told(accounts: int) -> None:
    """From nine companies on each story occurs, and the healthy ones are the largest group."""
    told = Counter(
        company.story for company in invent(accounts=accounts, until=datetime(2026, 1, 5, tzinfo=UTC)).companies
    )
    assert set(told) == set(Story)
    assert sum(told.values()) == accounts
    assert told[Story.HEALTHY] == max(told.values())


def test_a_small_base_tells_the_most_telling_stories() -> None:
    """Four companies: a healthy one, one that declines, one to quote, one that cannot pay."""
    small = invent(accounts=4, until=datetime(2026, 1, 5, tzinfo=UTC))
    expected = {Story.HEALTHY, Story.DECLINING, Story.REFERENCEABLE, Story.FAILING_PAYMENTS}
    assert {company.story for company in small.companies} == expected


def test_ids_names_and_addresses_are_unique(base: CompanyBase) -> None:
    """No two companies or people can be taken for each other by accident."""
    people = [person for company in base.companies for person in company.people]
    for values in (
        [company.id for company in base.companies],
        [company.name for company in base.companies],
        [company.domain for company in base.companies],
        [person.id for person in people],
        [person.email for person in people],
    ):
        assert len(set(values)) == len(values)


def test_two_hundred_companies_are_as_distinct_as_sixty() -> None:
    """Each with a name and a domain of its own, every story many times."""
    base = invent(accounts=200, until=UNTIL)
    assert len({company.name for company in base.companies}) == 200
    assert len({company.domain for company in base.companies}) == 200
    for story in (Story.HEALTHY, Story.DECLINING, Story.CHURNED, Story.EXPANDING, Story.REFERENCEABLE):
        assert len(base.told(story)) >= 10
    assert all(company.since >= base.began - timedelta(days=366) for company in base.companies)


def test_domains_cannot_belong_to_anybody(base: CompanyBase) -> None:
    """Companies live under `.example`; the only other domains are free-mail ones, and some people do use them."""
    domains = Counter(person.email.rpartition("@")[2] for company in base.companies for person in company.people)
    assert all(company.domain.endswith(".example") for company in base.companies)
    foreign = {domain for domain in domains if not domain.endswith(".example")}
    assert foreign
    assert foreign <= set(FREE_MAIL)
    assert all(email.isascii() for company in base.companies for email in (person.email for person in company.people))


def test_two_companies_share_a_billing_domain(base: CompanyBase) -> None:
    """The accounting office's domain stands for two companies, of which Stripe knows one by its id as well."""
    shared = [company.billing for company in base.companies if company.billing.email.endswith(SHARED_BILLING_DOMAIN)]
    assert [contact.carries_group_id for contact in shared] == [True, False]


def test_people_have_roles(base: CompanyBase) -> None:
    """Each company has three to twelve people, the first is its administrator, and nobody joins before the contract."""
    for company in base.companies:
        assert 3 <= len(company.people) <= 12
        assert [person.role for person in company.people[:3]] == [Role.ADMINISTRATOR, Role.CHAMPION, Role.SPONSOR]
        assert all(company.since <= person.joined < base.until for person in company.people)
        assert company.licences >= len(company.people)


def test_contracts_fit_the_stories(base: CompanyBase) -> None:
    """Renewals lie ahead, those of the pre-renewal story within ninety days; who left pays nothing."""
    for company in base.companies:
        days = (company.renews_on - base.until.date()).days
        assert company.renews_on == company.renewal_after(base.until)
        assert (0 < days <= 90) is (company.story is Story.PRE_RENEWAL)
        assert base.began <= company.since < base.until
        assert (company.mrr == 0) is (company.story is Story.CHURNED)
    for company in base.told(Story.REFERENCEABLE):
        assert base.until - company.since > timedelta(days=500)
    assert {company.behind for company in base.told(Story.NEW)} == {True, False}


def test_a_naive_end_is_refused() -> None:
    """Without a time zone it is not clear when the history ends."""
    with pytest.raises(ValueError, match="aware"):
        invent(until=datetime(2026, 1, 1))  # noqa: DTZ001 - the point of the test


def test_the_world_is_pinned_by_its_inputs(base: CompanyBase) -> None:
    """The same seed and end give an equal base, microseconds aside."""
    again = invent(until=base.until.replace(microsecond=999))
    assert hashlib.sha256(repr(again).encode()).digest() == hashlib.sha256(repr(base).encode()).digest()
