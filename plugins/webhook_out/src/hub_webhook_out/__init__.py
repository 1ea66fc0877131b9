"""Outgoing webhooks: any system follows the hub, signed by Standard Webhooks."""

from hub import sdk
from hub.sdk.plugins import Register
from hub_webhook_out.connector import WebhookOut

__all__ = ["WebhookOut", "hub_register_connectors"]


@sdk.hookimpl
def hub_register_connectors(register: Register) -> None:
    """Offer the connector to the hub."""
    register(WebhookOut)
