"""Zendesk Support: tickets with their changes, people, organizations and ratings, by export and webhook."""

from hub import sdk
from hub.sdk.plugins import Register
from hub_zendesk.connector import Zendesk

__all__ = ["Zendesk", "hub_register_connectors"]


@sdk.hookimpl
def hub_register_connectors(register: Register) -> None:
    """Offer the connector to the hub."""
    register(Zendesk)
