"""Intercom keeps the contract."""

from hub_intercom import Intercom

from hub import sdk

TestIntercom = sdk.testing.conformance(
    Intercom,
    exempt={
        "webhook.stale": "Intercom signs no time; the notification's own id is the guard against a replay",
        "webhook.future": "as above: there is no signed time",
    },
)
