"""Check 15: actions. One key is one effect, doubt is told and not guessed, and a dry run sends nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from hub.sdk.connector import Action
from hub.sdk.errors import Ambiguous, Rejected, Unavailable
from hub.sdk.http import Purpose, WouldSend
from hub.sdk.testing.checks.stages import collect, meaning, stage, told
from hub.sdk.testing.fixtures import action_inputs
from hub.sdk.testing.hosting import PATIENCE, SHORT_PATIENCE, Trial
from hub.sdk.testing.plugin import Plugin
from hub.sdk.testing.verdicts import Finding, NotApplicable
from hub.sdk.testing.weather import Fault

KEY, OTHER_KEY = "run-1:step-1", "run-2:step-1"


def actions(plugin: Plugin) -> Iterator[Finding]:
    """15: same key twice is one effect; silence after it was done; 4xx is Rejected; a dry run sends nothing."""
    if not plugin.kind.actions:
        raise NotApplicable("no action is declared")
    for name, action in plugin.kind.actions.items():
        inputs = action_inputs(plugin.fixtures, name)
        if not inputs:
            yield Finding("action.fixtures", f"No input of {name}: add fixtures/actions/{name}.<case>.json.")
        for path, document in inputs:
            try:
                wanted = action.input.model_validate(document)
            except ValidationError as error:
                yield Finding("action.fixtures", f"{path.name} does not fit {action.input.__name__}: {error}")
                continue
            yield from collect(_tried(plugin, action, wanted))


async def _tried(plugin: Plugin, action: Action, wanted: BaseModel) -> AsyncIterator[Finding]:
    async with stage(plugin) as trial:
        async for finding in _once(trial, action, wanted):
            yield finding
    async with stage(plugin) as trial:
        async for finding in _dry(plugin, trial, action, wanted):
            yield finding
    if plugin.talks:
        async with stage(plugin) as trial:
            async for finding in _in_doubt(trial, action, wanted):
                yield finding
        async with stage(plugin) as trial:
            trial.faults_of_writes(Fault.UNPROCESSABLE)
            result = await _run(trial, action, wanted, KEY)
            if not isinstance(result, Exception) or not isinstance(meaning(result), Rejected):
                yield Finding(
                    "action.rejected",
                    f"{action.name} gives {_said(result)} where the vendor refuses the input (422): read the answer "
                    "with sdk.expect(response, Model), or raise Rejected.",
                )


async def _once(trial: Trial, action: Action, wanted: BaseModel) -> AsyncIterator[Finding]:
    first = await _run(trial, action, wanted, KEY)
    if not isinstance(first, action.output):
        for failure in trial.weather.failures[:1]:
            yield Finding("action.once", f"vendor.py fails over {failure}")
        yield Finding("action.once", f"{action.name} gives {_said(first)}: return a {action.output.__name__}.")
        return
    if trial.effects == 0:
        yield Finding(
            "action.once",
            f"{action.name} has no effect: let vendor.py append to self.effects what happens.",
        )
        return
    if action.idempotency == "none":
        return
    effects = trial.effects
    second = await _run(trial, action, wanted, KEY)
    if trial.effects != effects:
        yield Finding("action.once", _doubled(action, "the same key twice"))
    elif second != first:
        yield Finding("action.once", f"{action.name} answers a repeated key with {_said(second)} and not as before.")
    if action.idempotency == "native":
        await _run(trial, action, wanted, OTHER_KEY)
        if trial.effects == effects:
            yield Finding(
                "action.once", f"{action.name} does nothing for another key: send the key that run() is given."
            )


async def _in_doubt(trial: Trial, action: Action, wanted: BaseModel) -> AsyncIterator[Finding]:
    """The vendor does it, and its answer is lost."""
    trial.faults_of_writes(Fault.DONE_IN_SILENCE)
    result = await _run(trial, action, wanted, KEY, SHORT_PATIENCE)
    known = meaning(result) if isinstance(result, Exception) else None
    right = Ambiguous if action.idempotency == "none" else (Ambiguous, Unavailable)
    if trial.weather.silent.is_set() and not isinstance(known, right):
        yield Finding(
            "action.silence",
            f"{action.name} gives {_said(result)} where no answer comes: let the host's Ambiguous pass, so that "
            "nobody takes it for done or for not done.",
        )
    if action.idempotency == "none":
        if trial.effects > 1:
            yield Finding("action.silence", f"{action.name} repeats what may have happened: send it once.")
        return
    trial.faults_of_writes(None)
    await _run(trial, action, wanted, KEY)
    if trial.effects > 1:
        yield Finding("action.silence", _doubled(action, "a repetition after a lost answer"))


async def _dry(plugin: Plugin, trial: Trial, action: Action, wanted: BaseModel) -> AsyncIterator[Finding]:
    result = await _run(trial, action, wanted, KEY, purpose=Purpose.TRYING)
    if trial.effects:
        yield Finding(
            "action.dry_run",
            f"{action.name} does something in a dry run: what changes something has to be a POST, PUT, PATCH or DELETE "
            "through self.http.",
        )
    elif plugin.talks and not isinstance(result, WouldSend):
        yield Finding(
            "action.dry_run",
            f"{action.name} gives {_said(result)} in a dry run: let the host's WouldSend pass, which says what would "
            "be sent.",
        )


async def _run(
    trial: Trial,
    action: Action,
    wanted: BaseModel,
    key: str,
    patience: float = PATIENCE,
    purpose: Purpose = Purpose.ACTING,
) -> Any:
    try:
        async with trial.connector(purpose, patience=patience) as connector:
            return await action.run(connector, wanted, key)
    except Exception as error:
        return error


def _doubled(action: Action, what: str) -> str:
    remedy = {
        "native": 'send the key: headers={"Idempotency-Key": key}',
        "upsert": "write to an address that names the object, e.g. PUT …/{id}",
        "lookup": "look first whether it is there",
    }.get(action.idempotency, "send it once")
    return f"{action.name} makes two effects of {what}: {remedy}."


def _said(result: object) -> str:
    return told(result) if isinstance(result, Exception) else repr(result)
