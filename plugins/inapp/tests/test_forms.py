"""The forms of a message, what a page may say of them, and the files that a page loads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hub_inapp import InApp
from hub_inapp.assets import asset
from hub_inapp.connector import UserSignature, sign
from pydantic import SecretStr, ValidationError

from hub import sdk
from hub.sdk.errors import BadSignature

SECRET = "0123456789abcdef0123456789abcdef"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
inapp = InApp(InApp.Config(secret=SecretStr(SECRET)))
REPORT = {"id": "0198a8a0-0000-7000-8000-000000000001", "message": "m-1", "user": "u-7", "at": "2026-03-01T10:00:00Z"}
ITEM = {"id": "team", "title": "Invite your team"}


def message(**fields: Any) -> dict[str, Any]:
    shown: dict[str, Any] = inapp.actions["send_message"].input.model_validate({"user": "u", **fields}).shown()
    return shown


def posted(**document: Any) -> sdk.Delivery:
    return sdk.Delivery("events", {}, orjson.dumps(document), NOW)


def events(**fields: Any) -> list[sdk.Event]:
    stream = inapp.streams["reports"]
    assert stream.normalizer is not None
    return list(stream.normalizer(inapp, stream.record.model_validate(REPORT | fields)))


async def got(name: str, **headers: str) -> sdk.Reply:
    return await inapp.endpoints[name].answer(inapp, sdk.Delivery("inapp.js", headers, b"", NOW, "GET"))


def test_what_was_sent_before_looks_as_before() -> None:
    """A message without the newer fields has the four that it always had."""
    assert message(title="t", body="b") == {"title": "t", "body": "b", "kind": "callout", "url": None}


def test_a_survey_asks_for_nought_to_ten_unless_told() -> None:
    """The question is the title; what it asks for is always said."""
    assert message(kind="survey", title="t")["survey"] == "nps"
    assert message(kind="survey", title="t", survey="csat", low="Bad")["low"] == "Bad"


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"kind": "checklist"}, "needs items"),
        ({"kind": "checklist", "items": [ITEM, ITEM]}, "same id"),
        ({"items": [ITEM]}, "a callout takes no items"),
        ({"kind": "banner", "target": "#new"}, "a banner takes no target"),
        ({"kind": "callout", "survey": "nps"}, "a callout takes no survey"),
        ({"kind": "checklist", "items": [ITEM | {"url": "javascript:alert(1)"}]}, "pattern"),
    ],
)
def test_fields_fit_the_form(fields: dict[str, Any], problem: str) -> None:
    """A field that the form would not show is refused, and so is a checklist of nothing."""
    with pytest.raises(ValidationError, match=problem):
        message(title="t", **fields)


def test_an_answer_to_a_survey_is_an_event_with_its_value() -> None:
    """The message was answered, and a survey was: its score is the value, what was asked an attribute."""
    [answered, survey] = events(type="answered", survey="csat", answer=4, comment="Fast")
    assert (answered.kind, answered.value) == ("message.answered", 4.0)
    assert (survey.kind, survey.value) == ("survey.answered", 4.0)
    assert survey.attributes == {"message": "m-1", "answer": 4, "survey": "csat", "comment": "Fast"}


def test_a_text_is_an_answer_without_a_value() -> None:
    """Words have no score."""
    assert [(event.kind, event.value) for event in events(type="answered", survey="text", answer="More!")] == [
        ("message.answered", None),
        ("survey.answered", None),
    ]


def test_a_tick_is_an_event_that_names_its_item() -> None:
    """What was done of a checklist is on the timeline."""
    [ticked] = events(type="ticked", item="team")
    assert (ticked.kind, ticked.attributes) == ("x.inapp.item.ticked", {"message": "m-1", "item": "team"})


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "answered", "survey": "nps", "answer": 11},
        {"type": "answered", "survey": "nps", "answer": 6.5},
        {"type": "answered", "survey": "csat", "answer": 0},
        {"type": "answered", "survey": "csat"},
        {"type": "answered", "survey": "text", "answer": 3},
        {"type": "ticked"},
    ],
)
def test_an_answer_that_cannot_be_one_is_refused(fields: dict[str, Any]) -> None:
    """A page cannot make up a score off the scale."""
    refused = inapp.webhooks["events"].accept(posted(**REPORT, **fields))
    assert refused is not None
    assert refused.status == 400


def test_a_page_proves_its_user_in_the_body() -> None:
    """By the user's own signature, which is not kept with the report."""
    good = posted(**REPORT, type="shown", signature=sign(SECRET, "u-7"))
    UserSignature().verify(good, [SECRET])
    [received] = inapp.webhooks["events"].receive(inapp, good)
    assert received == sdk.Received("reports", {**REPORT, "type": "shown"})
    for signature in (sign(SECRET, "u-8"), "", None, 7, {}):
        with pytest.raises(BadSignature):
            UserSignature().verify(posted(**REPORT, type="shown", signature=signature), [SECRET])


def test_an_address_never_proves_anybody() -> None:
    """A signature in the query would stand in the logs of proxies."""
    asked = sdk.Delivery("messages", {}, b"", NOW, "GET", {"user": "u-7", "signature": sign(SECRET, "u-7")})
    with pytest.raises(BadSignature):
        UserSignature().verify(asked, [SECRET])


def test_the_script_is_small_and_needs_no_eval() -> None:
    """Under ten thousand bytes as delivered, and nothing that a strict policy forbids."""
    script = asset("inapp.js").decode()
    assert len(script.encode()) < 10_000
    for forbidden in ("eval(", "new Function", "innerHTML", "document.cookie", 'createElement("style")', "cssText"):
        assert forbidden not in script


async def test_the_files_are_cached_and_readable_from_any_page() -> None:
    """Type, short cache, CORS; and 304 for a browser that has the file already."""
    for name, kind in (("script", "text/javascript"), ("style", "text/css")):
        fresh = await got(name)
        assert fresh.status == 200
        assert fresh.headers["content-type"].startswith(kind)
        assert fresh.headers["access-control-allow-origin"] == "*"
        assert "max-age=300" in fresh.headers["cache-control"]
        known = await got(name, **{"if-none-match": f'"other", W/{fresh.headers["etag"]}'})
        assert (known.status, known.body) == (304, None)
        assert (await got(name, **{"if-none-match": '"other"'})).status == 200
