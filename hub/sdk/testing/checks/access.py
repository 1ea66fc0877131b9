"""Check 4: `check` tells who we are, and what is wrong when it cannot."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from hub.sdk.errors import AuthExpired, ConnectorError, Misconfigured, Unavailable
from hub.sdk.testing.checks.stages import collect, meaning, stage, told
from hub.sdk.testing.hosting import PATIENCE, SHORT_PATIENCE, Trial
from hub.sdk.testing.plugin import Plugin
from hub.sdk.testing.verdicts import Finding
from hub.sdk.testing.weather import Fault

EXPECTED: dict[Fault, tuple[str, tuple[type[ConnectorError], ...], str]] = {
    Fault.UNAUTHORIZED: ("check.401", (AuthExpired,), "let the host's AuthExpired pass"),
    Fault.FORBIDDEN: ("check.403", (Misconfigured,), "let the host's Misconfigured pass"),
    Fault.SILENCE: ("check.silence", (Unavailable,), "let the host's Unavailable pass"),
    Fault.PAGE: ("check.garbage", (Misconfigured, Unavailable), "read the answer with sdk.expect(response, Model)"),
    Fault.NOTHING: ("check.garbage", (Misconfigured, Unavailable), "read the answer with sdk.expect(response, Model)"),
}


def access(plugin: Plugin) -> Iterator[Finding]:
    """4: success, 401, 403, time-out and garbage each give the right result."""
    yield from collect(_access(plugin))


async def _access(plugin: Plugin) -> AsyncIterator[Finding]:
    async with stage(plugin) as trial:
        tenants = [await _asked(trial) for _ in range(2)]
        if not all(isinstance(tenant, str) and tenant for tenant in tenants):
            yield Finding(
                "check.success",
                f"check() gives {_said(tenants[0])} where the vendor answers: return the tenant's id there, a text.",
            )
        elif tenants[0] != tenants[1]:
            yield Finding("check.success", "check() names another tenant each time: return an id that stays.")
        if plugin.talks and not trial.weather.requests:
            yield Finding("check.success", "check() asks the vendor nothing: wrong credentials would pass it.")
            return
        for fault, (aspect, right, remedy) in EXPECTED.items() if plugin.talks else ():
            trial.faults(fault)
            result = await _asked(trial, SHORT_PATIENCE if fault is Fault.SILENCE else PATIENCE)
            if not isinstance(result, Exception) or not isinstance(meaning(result), right):
                wanted = " or ".join(error.__name__ for error in right)
                yield Finding(
                    aspect, f"check() gives {_said(result)} for {fault.value}; it has to raise {wanted}: {remedy}."
                )


async def _asked(trial: Trial, patience: float = PATIENCE) -> object:
    try:
        async with trial.connector(patience=patience) as connector:
            return await connector.check()
    except Exception as error:
        return error


def _said(result: object) -> str:
    return told(result) if isinstance(result, Exception) else repr(result)
