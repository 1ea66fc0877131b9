"""The sixteen checks, and the test class that carries them out.

```python
TestAcme = sdk.testing.conformance(Acme)
```
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hub.sdk.connector import TIERS, Connector, Tier
from hub.sdk.testing.checks.access import access
from hub.sdk.testing.checks.actions import actions
from hub.sdk.testing.checks.normalizing import golden, pure, strangers
from hub.sdk.testing.checks.packaging import documented, importing, releasing
from hub.sdk.testing.checks.parity import parity
from hub.sdk.testing.checks.reading import continuing, cursors, resuming, rows
from hub.sdk.testing.checks.secrets import secrets
from hub.sdk.testing.checks.weather import weather
from hub.sdk.testing.checks.webhooks import webhooks
from hub.sdk.testing.plugin import Plugin, of
from hub.sdk.testing.vendor import Vendor
from hub.sdk.testing.verdicts import Check, State, judge


def _check(number: int, name: str, tier: Tier, find: Callable[..., Any], aspects: str) -> Check:
    title = (find.__doc__ or "").partition(": ")[2].partition("\n")[0].rstrip(".")
    return Check(number, name, title, tier, tuple(aspects.split()), find)


CHECKS: tuple[Check, ...] = (
    _check(1, "imports_alone", "bronze", importing, "import.touches import.loads import.manifest"),
    _check(2, "drops_nothing", "bronze", releasing, "release.manifest release.dropped"),
    _check(
        3,
        "keeps_secrets",
        "bronze",
        secrets,
        "secrets.fixtures secrets.repr secrets.logs secrets.errors secrets.address",
    ),
    _check(
        4,
        "says_who_it_is",
        "bronze",
        access,
        "check.success check.401 check.403 check.silence check.garbage",
    ),
    _check(5, "reads_rows_that_fit", "bronze", rows, "rows.fit rows.read"),
    _check(6, "resumes_where_it_was_killed", "bronze", resuming, "resuming.error resuming.lost"),
    _check(
        7,
        "goes_on_from_its_cursor",
        "silver",
        continuing,
        "continuing.repeated continuing.ties continuing.again continuing.late continuing.empty_page",
    ),
    _check(8, "reads_old_cursors", "silver", cursors, "cursors.old cursors.kept"),
    _check(
        9,
        "survives_bad_weather",
        "silver",
        weather,
        "weather.429 weather.500 weather.silence weather.cancel weather.sleep weather.hosts",
    ),
    _check(
        10,
        "normalizes_purely",
        "bronze",
        pure,
        "normalize.fails normalize.pure normalize.kinds normalize.keys",
    ),
    _check(11, "shows_what_records_mean", "bronze", golden, "golden.pairs golden.equal golden.kinds"),
    _check(12, "bears_strange_rows", "silver", strangers, "strangers.unknown strangers.missing"),
    _check(
        13,
        "guards_its_webhooks",
        "gold",
        webhooks,
        "webhook.fixtures webhook.rotated webhook.genuine webhook.changed webhook.stale webhook.future webhook.forged "
        "webhook.unsigned webhook.doubled webhook.order webhook.unknown",
    ),
    _check(14, "says_the_same_by_webhook_and_poll", "gold", parity, "parity.ids parity.refetch"),
    _check(
        15,
        "acts_once",
        "gold",
        actions,
        "action.fixtures action.once action.silence action.rejected action.dry_run",
    ),
    _check(16, "tells_its_quirks", "gold", documented, "readme.sections"),
)
"""In the order of the contract. An exemption names one of a check's aspects."""

ASPECTS = frozenset(aspect for check in CHECKS for aspect in check.aspects)


def conformance(
    connector: type[Connector[Any]],
    *,
    vendor: type[Vendor] | None = None,
    exempt: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> type:
    """A pytest class with one test for each check that the connector's `tier` asks for; all sixteen without a tier.

    `folder` is the plugin's `tests/`, by default that of the calling file; `vendor` the double, by default the one in
    its `vendor.py`. `exempt` gives aspects that cannot hold for this vendor, each with the reason, which is printed.
    Raises `ValueError` for an aspect that there is none, and `NotAPlugin`.
    """
    for aspect in set(exempt or ()) - ASPECTS:
        raise ValueError(f"exempt: there is no {aspect!r}; there are: {', '.join(sorted(ASPECTS))}")
    tests = folder or Path(sys._getframe(1).f_code.co_filename).parent
    plugin = of(connector, tests, vendor=vendor, exempt=exempt)
    methods = {check.method: _test(check, plugin) for check in CHECKS if required(check, connector.tier)}
    return type(f"{connector.__name__}Conformance", (), {"plugin": plugin, **methods})


def required(check: Check, tier: Tier | None) -> bool:
    """Whether a connector of that tier has to pass the check."""
    return tier is None or TIERS.index(check.tier) <= TIERS.index(tier)


def _test(check: Check, plugin: Plugin) -> Callable[..., None]:
    def test(self: object, capsys: Any) -> None:
        __tracebackhide__ = True
        verdict = judge(check, plugin)
        with capsys.disabled():
            for aspect, reason in verdict.exempt:
                print(f"\n{plugin.kind.id} is exempt from {aspect}: {reason}")  # noqa: T201  # whoever runs it shall see
        if verdict.state is State.FAILED:
            raise AssertionError(f"{check.number} {check.title}\n{verdict.text}")

    test.__name__ = check.method
    test.__doc__ = f"{check.number}: {check.title}."
    return test
