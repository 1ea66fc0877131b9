"""The connector keeps the contract."""

from hub_nps import Nps

from hub import sdk

TestNps = sdk.testing.conformance(
    Nps,
    exempt={
        "webhook.stale": "the vendor signs no time; a delivery only names a response, which is then read again",
        "webhook.future": "as above: there is no signed time",
    },
)
