"""What plugins may rely on: the names of `hub.sdk`, and the kinds of events."""

from __future__ import annotations

import ast
from pathlib import Path

import hub.sdk
from hub import sdk
from hub.sdk.declarations import kind_is_known
from hub.sdk.events import KIND
from hub.sdk.kinds import KINDS, flow_of

SURFACE = """
Account Action Amount Change Connector Delivery Endpoint Event Fact Flow HexHmac Host Key Mailbox Message Outlet Page
Person Rate Received Refetch Relation Reply Signature Signing StandardWebhooks Stream Subject Tier Tombstone Webhook
action check_age endpoint errors expect hookimpl keys matches_any outlet pushed signed_at stream testing webhook
"""


def test_the_surface_is_pinned() -> None:
    """A name that leaves `hub.sdk` breaks plugins: it takes a decision, and a change here."""
    assert set(sdk.__all__) == set(SURFACE.split())
    assert all(hasattr(sdk, name) for name in sdk.__all__)


def test_the_sdk_stands_on_the_ground_floor() -> None:
    """The package that plugins import needs nothing of the hub but the kit's clock and errors."""
    folder = Path(hub.sdk.__file__).parent
    imported = {
        node.module
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("hub.")
    }
    assert {module for module in imported if not module.startswith("hub.sdk")} <= {"hub.kit.clock"}


def test_every_kind_has_a_name_a_flow_and_a_meaning() -> None:
    """The registry of kinds is complete: names in the agreed form, each with its flow, told in a sentence."""
    for name, kind in KINDS.items():
        assert KIND.match(name), name
        assert kind.name == name
        assert flow_of(name) is kind.flow
        assert kind.meaning.endswith(".")


def test_a_plugins_own_kinds_bear_its_name() -> None:
    """`x.<plugin>.…` is that plugin's own, another's is not, and it belongs to operational execution."""
    assert kind_is_known("x.acme.seat.taken", "acme")
    assert not kind_is_known("x.acme.seat.taken", "other")
    assert not kind_is_known("seat.taken", "acme")
    assert flow_of("x.acme.seat.taken") is sdk.Flow.OPERATIONAL_EXECUTION
