"""Our own people, as far as plays give them work: the section `team`, and whose a task is.

```yaml
team:
  manager: kim@example.com
  support: help@example.com
```

`csm` is always there: the owner of the account.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, RootModel

from hub.blueprint.values import Name

CSM: Final = "csm"
"""The role of the account's owner."""


class Team(RootModel[dict[Name, Annotated[str, Field(min_length=1, max_length=200)]]]):
    """The section: who has which role, for all accounts."""

    root: dict[Name, str] = {}

    @property
    def roles(self) -> tuple[str, ...]:
        """Every role that work may be given to."""
        return (CSM, *self.root)

    def who(self, role: str, account_owner: str | None) -> str | None:
        """Who has the role; None when nobody has it (any more), so that the task is anybody's."""
        return account_owner if role == CSM else self.root.get(role)
