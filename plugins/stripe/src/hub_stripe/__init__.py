"""Stripe: customers, subscriptions, invoices and payments, by events, backfill and webhooks."""

from hub import sdk
from hub.sdk.plugins import Register
from hub_stripe.connector import Stripe

__all__ = ["Stripe", "hub_register_connectors"]


@sdk.hookimpl
def hub_register_connectors(register: Register) -> None:
    """Offer the connector to the hub."""
    register(Stripe)
