"""Intercom: contacts, companies and conversations by search, scroll and webhooks; in-app messages."""

from hub import sdk
from hub.sdk.plugins import Register
from hub_intercom.connector import Intercom

__all__ = ["Intercom", "hub_register_connectors"]


@sdk.hookimpl
def hub_register_connectors(register: Register) -> None:
    """Offer the connector to the hub."""
    register(Intercom)
