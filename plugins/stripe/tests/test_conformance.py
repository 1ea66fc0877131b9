"""Stripe keeps the contract."""

from hub_stripe import Stripe

from hub import sdk

TestStripe = sdk.testing.conformance(
    Stripe,
    exempt={
        "continuing.empty_page": "Stripe never answers an empty page that says has_more",
        "webhook.order": "refunds and disputes, which carry no time of their last change, are read anew when a webhook "
        "names them: what is so now wins",
    },
)
