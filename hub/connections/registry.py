"""The connectors of this process: found through the entry points `hub.plugins`, or named by a test.

A plugin that cannot be loaded is listed with its error and hinders nobody: each entry point is loaded in a `try` and
asked by a plugin manager of its own, so what it had registered before it failed is forgotten with it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import structlog

from hub.kit.errors import HubError, NotFound
from hub.kit.settings import load_settings
from hub.sdk.connector import Connector
from hub.sdk.declarations import complaints
from hub.sdk.plugins import InvalidConnector, registered

log = structlog.get_logger()

GROUP = "hub.plugins"


@dataclass(frozen=True, slots=True)
class Plugin:
    """An entry point: what it brought, or why it could not be loaded (then `connectors` is empty)."""

    name: str
    connectors: tuple[str, ...] = ()
    error: str | None = None


class BrokenPlugin(HubError):
    """A plugin cannot be loaded, and the settings say that this stops the hub."""


@dataclass(frozen=True, slots=True)
class Registry:
    """Connector classes by id, and the plugins that they came from."""

    connectors: Mapping[str, type[Connector[Any]]] = field(default_factory=dict)
    plugins: tuple[Plugin, ...] = ()

    @classmethod
    def of(cls, *connectors: type[Connector[Any]]) -> Registry:
        """A registry of just these classes. Raises `InvalidConnector`."""
        return cls(_checked(connectors, {}))

    def connector(self, connector_id: str) -> type[Connector[Any]]:
        """The class of that id. Raises `NotFound`: it is not installed, or its plugin is broken."""
        try:
            return self.connectors[connector_id]
        except KeyError:
            known = ", ".join(sorted(self.connectors)) or "none"
            raise NotFound(
                f"There is no connector {connector_id!r} (installed: {known}).",
                remedy="See what is installed, and what could not be loaded: hub plugin list",
            ) from None

    @property
    def broken(self) -> tuple[Plugin, ...]:
        """The plugins that could not be loaded."""
        return tuple(plugin for plugin in self.plugins if plugin.error is not None)


_current: Registry | None = None


def current() -> Registry:
    """The registry of this process; the installed plugins are loaded on first use."""
    global _current
    if _current is None:
        settings = load_settings()
        points = [*entry_points(group=GROUP), *_in_folders(settings.plugin_folders)]
        _current = load({(point.name, point.value): point for point in points}.values(), strict=settings.strict_plugins)
    return _current


def _in_folders(folders: Iterable[Path]) -> list[EntryPoint]:
    """The entry points of plugins that are not installed: their source folders become importable."""
    found: list[EntryPoint] = []
    for folder in folders:
        from hub.sdk.testing.plugin import NotAPlugin, entry_points_of  # the kit: not for a hub that names no folder

        try:
            names = entry_points_of(folder.resolve())
        except NotAPlugin as error:
            raise NotFound(str(error), remedy="Correct HUB_PLUGIN_FOLDERS.") from None
        source = str(folder.resolve() / "src")
        if source not in sys.path:
            sys.path.append(source)
        found += [EntryPoint(name, value, GROUP) for name, value in names.items()]
    return found


@contextmanager
def using(registry: Registry) -> Iterator[Registry]:
    """Have `current()` be this registry while the block runs."""
    global _current
    before, _current = _current, registry
    try:
        yield registry
    finally:
        _current = before


def load(points: Iterable[EntryPoint], *, strict: bool = False) -> Registry:
    """Load every entry point, each for itself. With `strict` the first that fails raises `BrokenPlugin`."""
    connectors: dict[str, type[Connector[Any]]] = {}
    plugins = []
    for point in sorted(points, key=lambda point: point.name):
        try:
            found = _checked(registered(point.load(), point.name), connectors)
        except Exception as error:  # a plugin may fail in any way; the others must not notice
            reason = f"{type(error).__name__}: {error}"
            if strict:
                raise BrokenPlugin(
                    f"The plugin {point.name!r} cannot be loaded. {reason}",
                    remedy="Mend or uninstall it, or unset HUB_STRICT_PLUGINS.",
                ) from error
            log.warning("plugin.broken", plugin=point.name, reason=reason)
            plugins.append(Plugin(point.name, error=reason))
            continue
        connectors.update(found)
        plugins.append(Plugin(point.name, connectors=tuple(found)))
    return Registry(connectors, tuple(plugins))


def _checked(
    classes: Iterable[type[Connector[Any]]], taken: Mapping[str, type[Connector[Any]]]
) -> dict[str, type[Connector[Any]]]:
    found: dict[str, type[Connector[Any]]] = {}
    for connector in classes:
        name = getattr(connector, "__name__", repr(connector))
        if not (isinstance(connector, type) and issubclass(connector, Connector)):
            raise InvalidConnector(f"{name} is not a subclass of sdk.Connector")
        if wrong := complaints(connector):
            raise InvalidConnector(f"{name}: {'; '.join(wrong)}")
        if connector.id in taken or connector.id in found:
            raise InvalidConnector(f"{name}: the id {connector.id!r} is taken by another connector")
        found[connector.id] = connector
    return found
