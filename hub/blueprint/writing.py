"""A document as YAML again: what `reading` reads back as the very same values.

Comments and layout are not part of a version, so they are not there; a file keeps those.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import yaml

from hub.blueprint.reading import plain_value

WIDTH: Final = 120


class _Dumper(yaml.SafeDumper):
    """Writes lists indented under their key, as people do."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        """Always: what stands twice is written twice, since aliases are not read."""
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    # YAML 1.1, which the library writes, and 1.2, which is read here, do not agree on what is a number.
    style = None if plain_value(value) == value else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def as_yaml(document: Mapping[str, Any]) -> str:
    """The document as YAML, entries in their order."""
    return yaml.dump(dict(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH)
