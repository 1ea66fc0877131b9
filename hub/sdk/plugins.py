"""Registration: one pluggy hook, which names classes and does no I/O."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pluggy

from hub.sdk.connector import Connector

PROJECT = "hub"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

Register = Callable[[type[Connector[Any]]], None]


class HookSpecs:
    """The hooks that a plugin may implement."""

    @hookspec
    def hub_register_connectors(self, register: Register) -> None:
        """Call `register(YourConnector)` for each connector class of the plugin."""
