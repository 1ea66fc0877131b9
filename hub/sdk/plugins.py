"""Registration: one pluggy hook, which names classes and does no I/O.

Pluggy registers and does nothing else; it lets a misspelled hook pass unless it is asked, so it is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pluggy

from hub.sdk.connector import Connector

PROJECT = "hub"
HOOK = "hub_register_connectors"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

Register = Callable[[type[Connector[Any]]], None]


class HookSpecs:
    """The hooks that a plugin may implement."""

    @hookspec
    def hub_register_connectors(self, register: Register) -> None:
        """Call `register(YourConnector)` for each connector class of the plugin."""


class InvalidConnector(ValueError):
    """A connector class lacks something that the contract asks for."""


def registered(plugin: object, name: str) -> list[type[Connector[Any]]]:
    """The classes that one plugin registers. Raises `InvalidConnector`, what pluggy raises for a hook that is none,
    and whatever the plugin raises.
    """
    hooks = pluggy.PluginManager(PROJECT)
    hooks.add_hookspecs(HookSpecs)
    hooks.register(plugin, name=name)
    hooks.check_pending()
    found: list[type[Connector[Any]]] = []
    getattr(hooks.hook, HOOK)(register=found.append)
    if not found:
        raise InvalidConnector(f"registers no connector: is {HOOK} there, and marked with @sdk.hookimpl?")
    return found
