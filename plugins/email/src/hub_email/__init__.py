"""E-mail by any SMTP server: one action that sends a message."""

from hub import sdk
from hub.sdk.plugins import Register
from hub_email.connector import Email

__all__ = ["Email", "hub_register_connectors"]


@sdk.hookimpl
def hub_register_connectors(register: Register) -> None:
    """Offer the connector to the hub."""
    register(Email)
