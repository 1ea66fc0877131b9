"""The in-app script in a real browser, on a page with a strict content security policy, against a running hub."""

from __future__ import annotations

import asyncio
import signal
from datetime import UTC, datetime
from pathlib import Path

import httpx
from playwright.async_api import expect

from .conftest import Visit

ITEMS = [
    {"id": "team", "title": "Invite your team", "url": "/team"},
    {"id": "logo", "title": "Upload a logo"},
    {"id": "report", "title": "Make a report", "event": "Report Made"},
]


async def picture(visit: Visit, shots: Path | None, name: str) -> None:
    if shots is not None:
        await asyncio.sleep(0.4)
        await visit.page.screenshot(path=shots / f"{name}.png")


async def test_a_click_on_a_callout_is_on_the_accounts_timeline(visit: Visit, shots: Path | None) -> None:
    """Shown beside its element, clicked, and both are told of the account, once each; it does not come back."""
    async with httpx.AsyncClient(auth=("write-key-of-the-tests", "")) as segment:
        body = {
            "userId": "u-7", "groupId": "g-1", "traits": {"name": "Northwind", "domain": "northwind.example"},
            "messageId": "m-1", "timestamp": datetime.now(UTC).isoformat(),
        }  # fmt: skip
        (await segment.post(f"{visit.hub.url}/in/segment/v1/group", json=body)).raise_for_status()
    await visit.send(title="New: reports", body="Make one here.", target="#new", url="/reports", button="Show me")
    await visit.open()
    card = visit.page.get_by_role("dialog", name="New: reports")
    await expect(card).to_be_visible()
    above, below = await visit.page.locator("#new").bounding_box(), await card.bounding_box()
    assert above is not None
    assert below is not None
    assert 0 <= below["y"] - (above["y"] + above["height"]) < 20
    await picture(visit, shots, "callout")
    await card.get_by_role("link", name="Show me").click()
    await visit.page.wait_for_url("**/reports")
    await visit.told("message.clicked")
    await visit.told("message.shown")
    on_timeline = await visit.hub.rows(
        "SELECT e.kind FROM event e JOIN source_account s ON s.id = e.source_account_id "
        "JOIN account a ON a.id = s.account_id WHERE a.name = 'Northwind' AND e.kind LIKE 'message.%' "
        "AND e.kind <> 'message.sent' ORDER BY e.occurred_at"
    )
    assert on_timeline == [("message.shown",), ("message.clicked",)]
    await visit.open()
    await asyncio.sleep(1.5)
    await expect(card).to_have_count(0)
    assert visit.errors + visit.warnings + visit.network == []


async def test_the_keyboard_alone_goes_in_and_comes_back(visit: Visit) -> None:
    """F6 brings the focus in, Tab goes through, Escape dismisses, and the focus is where it was."""
    await visit.send(title="New: reports", body="Make one here.", url="/reports")
    await visit.open()
    await visit.page.focus("#search")
    await expect(visit.page.get_by_role("dialog")).to_be_visible()
    assert await visit.focused() == "search"
    await visit.page.keyboard.press("F6")
    assert (await visit.focused()).startswith("New: reports")
    await visit.page.keyboard.press("Tab")
    assert await visit.focused() == "Close"
    await visit.page.keyboard.press("Tab")
    assert await visit.focused() == "Open"
    await visit.page.keyboard.press("Escape")
    await expect(visit.page.get_by_role("dialog")).to_have_count(0)
    assert await visit.focused() == "search"
    await visit.told("message.dismissed")


async def test_focus_moves_in_when_nobody_is_at_work(visit: Visit) -> None:
    """On a page where nothing is focused the call-out is, and Enter on its link follows it."""
    await visit.send(title="New: reports", body="", url="/reports")
    await visit.open()
    await expect(visit.page.get_by_role("dialog")).to_be_focused()
    await visit.page.keyboard.press("Tab")
    await visit.page.keyboard.press("Tab")
    await visit.page.keyboard.press("Enter")
    await visit.page.wait_for_url("**/reports")
    await visit.told("message.clicked")


async def test_a_banner_is_announced_and_closed(visit: Visit, shots: Path | None) -> None:
    """It does not take the focus, a screen reader is told of it, and closing it is told once."""
    await visit.send(
        kind="banner", title="Maintenance on Sunday.", body="From 8 to 9.", url="/status", button="Details"
    )
    await visit.open()
    banner = visit.page.get_by_role("region", name="Maintenance on Sunday.")
    await expect(banner).to_be_visible()
    await expect(visit.page.get_by_role("status")).to_contain_text("Maintenance on Sunday.")
    assert await visit.focused() == "BODY"
    await picture(visit, shots, "banner")
    await banner.get_by_role("button", name="Close").click()
    await expect(banner).to_have_count(0)
    await visit.told("message.dismissed")


async def test_a_survey_is_answered_with_the_keyboard(visit: Visit, shots: Path | None) -> None:
    """Arrows choose, the comment is typed, Enter sends: an answer with its value."""
    await visit.send(kind="survey", title="Would you recommend us?", comment="Why?")
    await visit.open()
    await expect(visit.page.get_by_role("radiogroup", name="Would you recommend us?")).to_be_visible()
    for key in ("Tab", "Tab", "Space", "ArrowRight", "ArrowRight", "Tab"):
        await visit.page.keyboard.press(key)
    await visit.page.keyboard.type("Fast, and kind")
    await picture(visit, shots, "survey")
    await visit.page.keyboard.press("Tab")
    await visit.page.keyboard.press("Enter")
    await expect(visit.page.get_by_role("status")).to_have_text("Thank you!")
    [answer] = await visit.told("survey.answered")
    assert (answer["survey"], answer["value"], answer["comment"]) == ("nps", 2.0, "Fast, and kind")
    await expect(visit.page.get_by_role("dialog")).to_have_count(0)
    assert visit.errors == []


async def test_the_other_surveys(visit: Visit) -> None:
    """One to five, then a text: one after the other, each answered."""
    await visit.send(kind="survey", survey="csat", title="How was the import?")
    await visit.send(kind="survey", survey="text", title="What is missing?")
    await visit.open()
    await expect(visit.page.get_by_role("radio")).to_have_count(5)
    await visit.page.get_by_role("radio", name="5, Very satisfied").check(force=True)
    await visit.page.get_by_role("button", name="Send").click()
    await visit.page.get_by_role("textbox", name="What is missing?").fill("Dark mode")
    await visit.page.get_by_role("button", name="Send").click()
    satisfied, missing = await visit.told("survey.answered", 2)
    assert (satisfied["survey"], satisfied["value"]) == ("csat", 5.0)
    assert (missing["survey"], missing["answer"], missing["value"]) == ("text", "Dark mode", None)


async def test_a_checklist_is_ticked_by_hand_and_by_the_product(visit: Visit, shots: Path | None) -> None:
    """Each tick is an event, once; the hub keeps it, so another browser shows it too."""
    await visit.send(kind="checklist", title="Getting started", items=ITEMS)
    await visit.open()
    boxes = visit.page.get_by_role("checkbox")
    await expect(boxes).to_have_count(3)
    await visit.page.get_by_role("checkbox", name="Upload a logo").check()
    await visit.page.evaluate("hubInApp.push('Report Made'); hubInApp.push('Report Made')")
    await expect(visit.page.get_by_role("checkbox", name="Make a report")).to_be_checked()
    await picture(visit, shots, "checklist")
    ticked = await visit.told("x.inapp.item.ticked", 2)
    assert {tick["item"] for tick in ticked} == {"logo", "report"}
    await visit.page.get_by_role("button", name="Getting started").focus()
    await visit.page.keyboard.press("Escape")
    await expect(boxes.first).to_be_hidden()

    await visit.page.evaluate("localStorage.clear()")
    await visit.open()
    await expect(visit.page.get_by_role("checkbox", name="Upload a logo")).to_be_checked()
    await expect(visit.page.get_by_role("checkbox", name="Make a report")).to_be_checked()
    await expect(visit.page.get_by_role("checkbox", name="Invite your team")).not_to_be_checked()
    await expect(visit.page.get_by_role("progressbar")).to_have_attribute("value", "2")


async def test_it_turns_round_with_the_direction_of_writing(visit: Visit, shots: Path | None) -> None:
    """The end of a line is on the left where people write from right to left."""
    await visit.send(title="تقارير جديدة", body="أنشئ تقريرًا هنا.")
    await visit.open(direction="rtl")
    box = await visit.page.get_by_role("dialog").bounding_box()
    assert box is not None
    assert box["x"] < 40
    await picture(visit, shots, "rtl")


async def test_nothing_moves_for_those_who_asked(visit: Visit) -> None:
    """With reduced motion there is no animation; without, there is."""
    await visit.send(title="Hello", body="")
    await visit.page.emulate_media(reduced_motion="reduce")
    await visit.open()
    card = visit.page.get_by_role("dialog")
    await expect(card).to_have_css("animation-name", "none")
    await visit.page.emulate_media(reduced_motion="no-preference")
    await expect(card).to_have_css("animation-name", "appear")


async def test_a_product_themes_it(visit: Visit) -> None:
    """Custom properties of the page reach into the shadow tree."""
    await visit.send(title="Hello", body="")
    await visit.open()
    await visit.page.evaluate("document.documentElement.style.setProperty('--hub-surface', 'rgb(1, 2, 3)')")
    await expect(visit.page.get_by_role("dialog")).to_have_css("background-color", "rgb(1, 2, 3)")


async def test_a_hub_that_is_away_loses_nothing(visit: Visit) -> None:
    """What is clicked meanwhile is kept over a reload and told later, once; the console has one warning, no error."""
    await visit.send(title="Hello", body="")
    await visit.open()
    card = visit.page.get_by_role("dialog")
    await expect(card).to_be_visible()
    await visit.told("message.shown")
    visit.hub.kill("serve")
    await card.get_by_role("button", name="OK").click()
    await expect(card).to_have_count(0)
    await asyncio.sleep(3)
    assert len(visit.warnings) == 1
    assert len(visit.network) <= 2
    await visit.page.close()
    visit.hub.start("serve")
    await visit.hub.ready()
    visit.page = await visit.page.context.new_page()
    visit.listen()
    await visit.open()
    await visit.told("message.clicked")
    await expect(visit.page.get_by_role("dialog")).to_have_count(0)
    assert visit.errors == []


async def test_a_page_that_is_left_at_once_is_heard(visit: Visit) -> None:
    """The click and the end of the page are one moment: what was clicked arrives all the same, once."""
    await visit.send(title="Hello", body="")
    await visit.open()
    await expect(visit.page.get_by_role("dialog")).to_be_visible()
    await visit.told("message.shown")
    await visit.page.evaluate(
        "document.querySelector('hub-inapp').shadowRoot.querySelector('.main').click(); location.href = 'about:blank'"
    )
    await visit.page.wait_for_url("about:blank")
    await visit.told("message.clicked")


async def test_a_page_that_is_left_while_the_hub_hangs_tells_later(visit: Visit) -> None:
    """What no answer came for is kept, and told with the next visit: one event, however often it was sent."""
    await visit.send(title="Hello", body="")
    await visit.open()
    card = visit.page.get_by_role("dialog")
    await expect(card).to_be_visible()
    await visit.told("message.shown")
    server = visit.hub.processes["serve"]
    server.send_signal(signal.SIGSTOP)
    try:
        await card.get_by_role("button", name="OK").click()
        await visit.page.goto("about:blank")
    finally:
        server.send_signal(signal.SIGCONT)
    await visit.open()
    await visit.told("message.clicked")
    await expect(card).to_have_count(0)


async def test_it_goes_without_a_trace(visit: Visit) -> None:
    """`stop()` takes everything off the page, for a product that signs its user out without loading anew."""
    await visit.send(title="Hello", body="")
    await visit.open()
    await expect(visit.page.get_by_role("dialog")).to_be_visible()
    await visit.page.evaluate("hubInApp.stop()")
    await expect(visit.page.locator("hub-inapp")).to_have_count(0)
    await asyncio.sleep(1.5)
    await expect(visit.page.locator("hub-inapp")).to_have_count(0)
    assert await visit.page.evaluate("typeof hubInApp") == "undefined"
    assert visit.errors == []
