"""The outgoing webhook keeps the contract."""

from hub_webhook_out import WebhookOut

from hub import sdk

TestWebhookOut = sdk.testing.conformance(
    WebhookOut,
    exempt={"check.success": "an endpoint can only be told a fact, and by the time of the check there is none"},
)
