"""Two years of messages: enough and not too many, in order, and true to the stories."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta

import orjson
import pytest

from hub.sandbox import CompanyBase, Rhythm, Story, history, invent
from hub.sandbox.messages import Message
from hub.sandbox.segment import LARGEST_MESSAGE


@pytest.fixture(scope="module")
def messages(base: CompanyBase) -> list[Message]:
    return list(history(base))


def time_of(message: Message) -> datetime:
    return datetime.fromisoformat(message["timestamp"])


def group_of(message: Message) -> str | None:
    group: str | None = message.get("groupId") or message["context"].get("groupId")
    return group


def people_at_work(messages: list[Message], since: datetime, until: datetime) -> dict[str | None, set[str]]:
    """Who did something on the track calls of a company in [since, until)."""
    found: dict[str | None, set[str]] = defaultdict(set)
    for message in messages:
        if message["type"] == "track" and since <= time_of(message) < until:
            found[group_of(message)].add(message["userId"])
    return found


def test_the_volume_is_bounded(messages: list[Message]) -> None:
    """Sixty companies give about thirty-four thousand messages of half a kilobyte at most on average."""
    assert 28_000 <= len(messages) <= 40_000
    sizes = [len(orjson.dumps(message)) for message in messages[::50]]
    assert max(sizes) < LARGEST_MESSAGE
    assert sum(sizes) / len(sizes) < 600


def test_the_rhythm_sets_the_volume() -> None:
    """A thinner rhythm gives fewer messages, a denser one more."""
    base = invent(accounts=9, until=datetime.fromisoformat("2026-11-20T15:30:00Z"))
    thin, usual, dense = (
        sum(1 for _ in history(base, rhythm))
        for rhythm in (Rhythm(recent_weeks=4, actions=0.5), Rhythm(), Rhythm(every=1, actions=3))
    )
    assert thin < usual < dense


def test_messages_come_in_order_and_once(base: CompanyBase, messages: list[Message]) -> None:
    """Times never go back, stay within the two years, and no message id occurs twice."""
    times = [message["timestamp"] for message in messages]
    assert times == sorted(times)
    assert base.began <= time_of(messages[0])
    assert time_of(messages[-1]) < base.until
    assert len({message["messageId"] for message in messages}) == len(messages)


def test_every_kind_of_call_occurs(messages: list[Message]) -> None:
    """All six calls are made, and the events of the B2B SaaS vocabulary with them."""
    assert {message["type"] for message in messages} == {"identify", "group", "track", "alias", "page", "screen"}
    events = Counter(message["event"] for message in messages if message["type"] == "track")
    assert set(events) == {
        "Account Created", "Account Added User", "Signed Up", "Signed In", "Invite Sent", "Report Viewed",
        "Dashboard Created", "Setup Completed", "Data Exported", "Feature Used", "Automation Run",
        "Integration Connected", "Survey Answered",
    }  # fmt: skip


def test_a_few_calls_name_no_company(messages: list[Message]) -> None:
    """Some track calls come without a group, but never many."""
    tracks = [message for message in messages if message["type"] == "track"]
    homeless = sum(group_of(message) is None for message in tracks)
    assert 0 < homeless < len(tracks) * 0.03


def test_an_alias_names_who_looked_around_before(messages: list[Message]) -> None:
    """Each alias follows page views of the anonymous visitor that it names."""
    seen: set[str] = set()
    for message in messages:
        if message["type"] == "page" and message["userId"] is None:
            seen.add(message["anonymousId"])
        if message["type"] == "alias":
            assert message["previousId"] in seen
    assert seen


def test_only_the_declining_decline(base: CompanyBase, messages: list[Message]) -> None:
    """Active people fall by well over a fifth in the last 28 days where the story says so, and nowhere else."""
    month = timedelta(days=28)
    before = people_at_work(messages, base.until - 2 * month, base.until - month)
    lately = people_at_work(messages, base.until - month, base.until)
    for company in base.companies:
        if company.story is Story.DECLINING:
            assert len(before[company.id]) >= 7
            assert len(lately[company.id]) <= 0.65 * len(before[company.id])
        elif company.story not in (Story.SILENT, Story.CHURNED):
            assert len(lately[company.id]) >= 0.8 * len(before[company.id]), company.name


def test_the_champion_leaves_first(base: CompanyBase, messages: list[Message]) -> None:
    """What a declining company loses first is the person who wanted the product."""
    lately = people_at_work(messages, base.until - timedelta(days=28), base.until)
    for company in base.told(Story.DECLINING):
        assert company.people[1].id not in lately[company.id]


def test_the_silent_and_the_churned_are_quiet(base: CompanyBase, messages: list[Message]) -> None:
    """Nobody there has done anything for eight weeks, in any kind of call."""
    quiet = {company.id for story in (Story.SILENT, Story.CHURNED) for company in base.told(story)}
    people = {person.id for company in base.companies if company.id in quiet for person in company.people}
    lately = [message for message in messages if time_of(message) >= base.until - timedelta(days=56)]
    assert not any(message["userId"] in people or group_of(message) in quiet for message in lately)


def test_the_referenceable_stand_out(base: CompanyBase, messages: list[Message]) -> None:
    """They are the busiest companies, answer nine or ten, and half of the features they use are advanced."""
    count = Counter(group_of(message) for message in messages if message["type"] == "track")
    best = {company.id for company in base.told(Story.REFERENCEABLE)}
    assert {company for company, _ in count.most_common(len(best))} == best
    answers = {
        message["properties"]["nps"]
        for message in messages
        if message.get("event") == "Survey Answered" and group_of(message) in best
    }
    assert answers == {9, 10}


def test_the_new_are_on_track_or_behind(base: CompanyBase, messages: list[Message]) -> None:
    """Who is on track has completed the set-up by the administrator within two weeks; who is behind has not at all."""
    done = {group_of(one): one for one in messages if one.get("event") == "Setup Completed"}
    for company in base.told(Story.NEW):
        assert (company.id in done) is not company.behind
        if not company.behind:
            assert done[company.id]["userId"] == company.administrator.id
            assert time_of(done[company.id]) - company.since <= timedelta(days=14)
        else:
            assert base.until - company.since > timedelta(days=28)


def test_people_work_in_working_hours(base: CompanyBase, messages: list[Message]) -> None:
    """Sign-ins fall on working days between eight and eighteen o'clock where the person is."""
    zones = {person.id: person.zone for company in base.companies for person in company.people}
    for message in messages:
        if message.get("event") == "Signed In":
            local = time_of(message) + timedelta(hours=zones[message["userId"]].hours)
            assert local.weekday() < 5
            assert 8 <= local.hour < 18
