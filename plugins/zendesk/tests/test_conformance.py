"""Zendesk keeps the contract."""

from hub_zendesk import Zendesk

from hub import sdk

TestZendesk = sdk.testing.conformance(Zendesk)
