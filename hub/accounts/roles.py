"""What somebody is at an account: the words that measures, plays and connectors share."""

from __future__ import annotations

from enum import StrEnum


class PersonRole(StrEnum):
    """What somebody is at the account. Vendors know other roles too; these are the ones that a blueprint speaks of."""

    ADMINISTRATOR = "administrator"
    CHAMPION = "champion"
    SPONSOR = "sponsor"
    END_USER = "end_user"
