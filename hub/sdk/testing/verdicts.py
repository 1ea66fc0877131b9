"""Verdicts: what a check found, what is excused and why, and which tier that makes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from hub.sdk.connector import TIERS, Tier
from hub.sdk.testing.plugin import NotAPlugin, Plugin


class Finding(NamedTuple):
    """Something that is wrong: `aspect` is what an exemption names, `text` says which line to add or change."""

    aspect: str
    text: str


class NotApplicable(Exception):
    """The connector has nothing that this check is about; the message says what."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the contract. `find` yields what is wrong; it may raise `NotApplicable`."""

    number: int
    name: str
    title: str
    tier: Tier
    aspects: tuple[str, ...]
    find: Callable[[Plugin], Iterable[Finding]]

    @property
    def method(self) -> str:
        """The name of its test."""
        return f"test_{self.number:02}_{self.name}"


class State(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check says: what is wrong, or why it does not apply, and which aspects were excused for which reason."""

    check: Check
    state: State
    findings: tuple[Finding, ...] = ()
    exempt: tuple[tuple[str, str], ...] = ()
    reason: str = ""

    @property
    def text(self) -> str:
        """All findings, one a paragraph."""
        return "\n".join(f"- {finding.text}" for finding in self.findings)


def judge(check: Check, plugin: Plugin) -> Verdict:
    """Carry one check out. An exemption takes the findings of its aspect away, and has to be needed."""
    try:
        found = list(check.find(plugin))
    except NotApplicable as nothing:
        return Verdict(check, State.NOT_APPLICABLE, reason=str(nothing))
    except NotAPlugin as lacking:
        found = [Finding(check.name, str(lacking))]
    except Exception as error:  # the connector's own code may fail in any way that no check foresaw
        found = [Finding(check.name, f"The connector fails over the check: {type(error).__name__}: {error}")]
    findings = [finding for finding in found if finding.aspect not in plugin.exempt]
    exempt = [(aspect, reason) for aspect, reason in plugin.exempt.items() if aspect in check.aspects]
    findings += _unneeded(exempt, found)
    return Verdict(check, State.FAILED if findings else State.PASSED, tuple(findings), tuple(exempt))


def _unneeded(exempt: Iterable[tuple[str, str]], found: Iterable[Finding]) -> Iterator[Finding]:
    aspects = {finding.aspect for finding in found}
    for aspect, reason in exempt:
        if not reason.strip():
            yield Finding(aspect, f'The exemption {aspect!r} gives no reason: exempt={{"{aspect}": "why"}}.')
        elif aspect not in aspects:
            yield Finding(aspect, f"The exemption {aspect!r} excuses nothing: take it out.")


def tier_reached(verdicts: Sequence[Verdict]) -> Tier | None:
    """The highest tier of which no check failed; None when not even bronze is reached."""
    reached: Tier | None = None
    for tier in TIERS:
        if any(verdict.state is State.FAILED and verdict.check.tier == tier for verdict in verdicts):
            break
        reached = tier
    return reached
