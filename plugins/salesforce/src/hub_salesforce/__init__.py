"""Salesforce: accounts, people, opportunities, cases, activities and contracts."""

from hub import sdk
from hub.sdk.plugins import Register
from hub_salesforce.connector import Salesforce

__all__ = ["Salesforce", "hub_register_connectors"]


@sdk.hookimpl
def hub_register_connectors(register: Register) -> None:
    """Offer the connector to the hub."""
    register(Salesforce)
