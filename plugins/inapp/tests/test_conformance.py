"""The in-app channel keeps the contract."""

from hub_inapp import InApp

from hub import sdk

TestInApp = sdk.testing.conformance(
    InApp,
    exempt={
        "webhook.changed": "a page proves its user and nothing else: what it reports about that user is believed",
        "webhook.stale": "the product's server signs the user once for the page, at no particular time",
        "webhook.future": "as above: there is no signed time",
    },
)
