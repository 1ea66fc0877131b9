"""The hub's own in-app channel: messages to a person inside the product, and what became of them."""

from hub import sdk
from hub.sdk.plugins import Register
from hub_inapp.connector import InApp

__all__ = ["InApp", "hub_register_connectors"]


@sdk.hookimpl
def hub_register_connectors(register: Register) -> None:
    """Offer the connector to the hub."""
    register(InApp)
