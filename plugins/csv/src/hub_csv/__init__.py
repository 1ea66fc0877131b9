"""Spreadsheets: accounts, people, contracts and history, row by row."""

from hub import sdk
from hub.sdk.plugins import Register
from hub_csv.connector import Csv

__all__ = ["Csv", "hub_register_connectors"]


@sdk.hookimpl
def hub_register_connectors(register: Register) -> None:
    """Offer the connector to the hub."""
    register(Csv)
