"""What use of the product means: the blueprint's section `usage`, names for kinds of use with the events they hold.

```yaml
usage:
  sticky:    [Dashboard Created, "Automation *"]
  reporting: [report.viewed, "Report *", "* Exported"]
  advanced:  [forecasting, "API *"]
measures:
  advanced_uses_28d: {kind: count, of: [{usage: advanced}], window: 28d}
```

An entry is a kind of event, or a pattern over the feature of `product.used`, which is the name that a product gives its
event; `*` stands for anything, case does not count. It is applied when a measure is computed, not when an event comes
in: so a changed mapping is true for the whole past at once, and connectors know nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field, RootModel, StrictStr, StringConstraints

from hub.blueprint.problems import did_you_mean
from hub.blueprint.values import Name
from hub.sdk.kinds import KINDS

Pattern = Annotated[StrictStr, StringConstraints(min_length=1, max_length=200)]


class Usage(RootModel[dict[Name, Annotated[tuple[Pattern, ...], Field(min_length=1)]]]):
    """Patterns by the name of the kind of use."""


def selections(tag: Any, document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The selections that `{usage: tag}` stands for, as they would be written. Raises `ValueError`."""
    section = document.get("usage")
    known = section if isinstance(section, Mapping) else {}
    if not isinstance(tag, str) or tag not in known:
        raise ValueError(f"{tag!r} is not in the section usage{did_you_mean(str(tag), known)}")
    patterns = [pattern for pattern in known[tag] if isinstance(pattern, str)] if isinstance(known[tag], list) else []
    yield from ({"event": pattern} for pattern in patterns if pattern in KINDS)
    if named := [pattern for pattern in patterns if pattern not in KINDS]:
        yield {"event": "product.used", "where": {"feature": {"like": named}}}
