"""The plugin under test: its connector, its folders, its vendor's double, and what it is exempt from."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError

from hub.sdk.connector import Connector, Stream
from hub.sdk.plugins import registered
from hub.sdk.testing.vendor import Vendor

GROUP = "hub.plugins"


class NotAPlugin(Exception):
    """A folder or a class that the kit cannot test; the message says what it lacks."""


@dataclass(frozen=True)
class Plugin:
    """`root` holds `pyproject.toml`, `README.md` and `manifest.json`; `fixtures` is told in `fixtures.py`."""

    kind: type[Connector[Any]]
    root: Path
    fixtures: Path
    vendor: type[Vendor] | None = None
    exempt: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def config(self) -> BaseModel:
        """The configuration of `fixtures/config.json`. Raises `NotAPlugin`."""
        path = self.fixtures / "config.json"
        if not path.exists():
            fields = ", ".join(self.kind.Config.model_fields)
            raise NotAPlugin(f"Write {self._shown(path)}: a configuration with invented values for {fields}.")
        try:
            return self.kind.Config.model_validate(orjson.loads(path.read_bytes()))
        except (ValidationError, orjson.JSONDecodeError) as error:
            raise NotAPlugin(f"{self._shown(path)} does not fit {self.kind.Config.__name__}: {error}") from None

    @property
    def polled(self) -> list[Stream[Any]]:
        """The streams that are read, and not only fed by webhooks."""
        return [stream for stream in self.kind.streams.values() if stream.interval is not None]

    @property
    def talks(self) -> bool:
        """Whether the connector asks anything of a vendor."""
        return bool(self.kind.hosts(self.config))

    def new_vendor(self) -> Vendor:
        """A double that holds nothing yet. Raises `NotAPlugin`."""
        if self.vendor is None:
            raise NotAPlugin(
                f"Write {self._shown(self.fixtures.parent / 'vendor.py')}: a subclass of sdk.testing.Vendor that "
                "answers as the vendor does."
            )
        return self.vendor()

    def entry_points(self) -> dict[str, str]:
        """The entry points that `pyproject.toml` declares. Raises `NotAPlugin`."""
        return entry_points_of(self.root)

    def _shown(self, path: Path) -> str:
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)


def of(
    kind: type[Connector[Any]],
    tests: Path,
    *,
    vendor: type[Vendor] | None = None,
    exempt: Mapping[str, str] | None = None,
) -> Plugin:
    """The plugin of a connector whose tests are in a folder. Raises `NotAPlugin`."""
    root = next((folder for folder in tests.resolve().parents if (folder / "pyproject.toml").exists()), None)
    if root is None:
        raise NotAPlugin(f"There is no pyproject.toml above {tests}: a plugin is a distribution of its own.")
    return Plugin(kind, root, tests.resolve() / "fixtures", vendor or _double(tests / "vendor.py"), dict(exempt or {}))


def at(root: Path) -> list[Plugin]:
    """The plugins of a distribution's folder, installed or not: as its own tests call the kit, or, where they do not,
    one for each connector that it registers.

    Raises `NotAPlugin` for a folder that holds none, and whatever its modules raise.
    """
    root = root.resolve()
    names = entry_points_of(root)
    if (root / "src").is_dir() and str(root / "src") not in sys.path:
        sys.path.insert(0, str(root / "src"))
    if called := called_by(root / "tests"):
        return called
    kinds = [kind for name, module in names.items() for kind in registered(importlib.import_module(module), name)]
    return [of(kind, root / "tests") for kind in kinds]


def called_by(tests: Path) -> list[Plugin]:
    """The plugins for which a folder's own tests call the kit."""
    modules = [_load(path) for path in sorted(tests.glob("test_*conformance*.py"))]
    return [value.plugin for module in modules for value in vars(module).values() if hasattr(value, "plugin")]


def entry_points_of(root: Path) -> dict[str, str]:
    """The entry points `hub.plugins` of a distribution's folder. Raises `NotAPlugin`."""
    path = root / "pyproject.toml"
    if not path.exists():
        raise NotAPlugin(f"{root} is no plugin: it has no pyproject.toml. Begin one with: hub plugin new NAME")
    declared = tomllib.loads(path.read_text()).get("project", {}).get("entry-points", {}).get(GROUP, {})
    if not declared:
        raise NotAPlugin(
            f'{path.name} declares no entry point: add [project.entry-points."{GROUP}"] with acme = "hub_acme".'
        )
    return {str(name): str(value) for name, value in declared.items()}


def _double(path: Path) -> type[Vendor] | None:
    if not path.exists():
        return None
    found = [
        value
        for value in vars(_load(path)).values()
        if isinstance(value, type) and issubclass(value, Vendor) and value is not Vendor
    ]
    if not found:
        raise NotAPlugin(f"{path} has no subclass of sdk.testing.Vendor.")
    return found[-1]


def _load(path: Path) -> ModuleType:
    """A file as a module of its own name, that nothing else has."""
    name = f"_plugin_{path.resolve().parents[1].name}_{path.stem}".replace("-", "_")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None, path  # noqa: S101  # the path is a Python file
    assert spec.loader is not None, path  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickles look their module up by its name
    spec.loader.exec_module(module)
    return module
