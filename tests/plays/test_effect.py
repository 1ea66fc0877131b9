"""Whether a play works: the interval covers the truth as often as it says, and chance is seldom called an effect."""

from __future__ import annotations

import os
import random
from datetime import timedelta

import pytest

from hub.kit.clock import FrozenClock
from hub.kit.runtime import Kit
from hub.plays.effect import Side, Verdict, effect, effects_of, interval, number_needed

from .scene import CALL, add_account, apply, enrol, look, own, runs

EXPERIMENTS = int(os.environ.get("HUB_EXPERIMENTS", "1000"))


def test_the_interval_is_the_one_in_the_paper() -> None:
    """Newcombe 1998, table II, method 10."""
    assert interval(Side(70, 56), Side(80, 48)) == pytest.approx((0.0524, 0.3339), abs=0.0001)
    assert interval(Side(10, 9), Side(10, 3)) == pytest.approx((0.1705, 0.8090), abs=0.0001)


def test_the_number_needed_is_the_textbook_s() -> None:
    """Fleiss, Statistical Methods for Rates and Proportions: 0.6 against 0.7 takes 356 on each side."""
    assert number_needed(Side(1000, 700), Side(1000, 600)) == 356
    assert number_needed(Side(10, 5), Side(20, 10)) is None


def drawn(chance: random.Random, treated: float, held_out: float, accounts: int = 600) -> tuple[Side, Side]:
    def side(size: int, rate: float) -> Side:
        return Side(size, sum(chance.random() < rate for _ in range(size)))

    return side(accounts * 3 // 4, treated), side(accounts // 4, held_out)


def test_the_interval_covers_the_truth() -> None:
    """In 93 to 97 of 100 experiments with a real difference."""
    chance = random.Random(7)
    covered = 0
    for _ in range(EXPERIMENTS):
        low, high = interval(*drawn(chance, 0.42, 0.30))
        covered += low <= 0.12 <= high
    assert 0.93 <= covered / EXPERIMENTS <= 0.97


def test_chance_is_seldom_called_an_effect() -> None:
    """Without a difference, at most 5 of 100 experiments say that there is one."""
    chance = random.Random(11)
    called = sum(
        effect(*drawn(chance, 0.35, 0.35)).verdict in (Verdict.WORKS, Verdict.HARMS) for _ in range(EXPERIMENTS)
    )
    assert called / EXPERIMENTS <= 0.05


@pytest.mark.parametrize(
    ("treated", "held_out", "verdict"),
    [
        (Side(0, 0), Side(0, 0), Verdict.NOT_ENOUGH_YET),
        (Side(9, 9), Side(9, 0), Verdict.NOT_ENOUGH_YET),
        (Side(100, 60), Side(30, 15), Verdict.NOT_ENOUGH_YET),
        (Side(1000, 600), Side(300, 120), Verdict.WORKS),
        (Side(1000, 300), Side(300, 150), Verdict.HARMS),
    ],
)
def test_what_the_figures_say(treated: Side, held_out: Side, verdict: Verdict) -> None:
    """Too few is an answer."""
    assert effect(treated, held_out).verdict is verdict


async def test_an_account_counts_where_it_was_put(still: Kit, clock: FrozenClock) -> None:
    """By its first run alone, once the time for the goal is over, whether anything happened to it or not."""
    goal = {"when": "owner = 'won'", "within": "10d"}
    play = {"trigger": {"by_hand": True}, "goal": goal, "holdout": 0.5, "steps": [{"wait": "1d"}]}
    await apply(still, [CALL], measured=play)
    accounts = [await add_account(still, name=f"Account {nth}") for nth in range(12)]
    for account in accounts:
        await enrol(still, account, "alert:1", play="measured")
    put = {run.account_id: run.holdout for run in await runs(still)}
    assert {run.status for run in await runs(still) if run.holdout} == {"holdout"}
    assert 0 < sum(put.values()) < 12
    won = [account for account in accounts if not put[account]][:2] + [account for account in accounts if put[account]][
        :1
    ]
    for account in won:
        await own(still, account, "won")
    clock.advance(timedelta(days=5))
    await look(still, *accounts)
    async with still.reading() as session:
        early = (await effects_of(session, ["measured"], clock.now()))["measured"]
    assert early.treated == Side(0, 0)
    clock.advance(timedelta(days=6))
    for account in accounts:  # too late to count
        await own(still, account, "won")
        await enrol(still, account, "alert:2", play="measured")
    await look(still, *accounts)
    async with still.reading() as session:
        found = (await effects_of(session, ["measured"], clock.now()))["measured"]
    held_out = sum(put.values())
    assert (found.treated, found.held_out) == (Side(12 - held_out, 2), Side(held_out, 1))
    assert found.verdict is Verdict.NOT_ENOUGH_YET
