"""Segment: product usage, people and accounts, by the source API and by the webhook destination."""

from hub import sdk
from hub.sdk.plugins import Register
from hub_segment.connector import Segment

__all__ = ["Segment", "hub_register_connectors"]


@sdk.hookimpl
def hub_register_connectors(register: Register) -> None:
    """Offer the connector to the hub."""
    register(Segment)
