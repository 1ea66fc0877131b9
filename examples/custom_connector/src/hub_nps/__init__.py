"""Net promoter scores."""

from hub import sdk
from hub.sdk.plugins import Register
from hub_nps.connector import Nps

__all__ = ["Nps", "hub_register_connectors"]


@sdk.hookimpl
def hub_register_connectors(register: Register) -> None:
    """Offer the connector to the hub."""
    register(Nps)
