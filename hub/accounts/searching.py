"""Search over accounts and people: words by their beginnings (full text), and what is nearly so (trigrams).

A word of the question has to begin a word of the name, domain, address or title, in whatever order; or the whole
question has to be like a stretch of it (`word_similarity` of pg_trgm), which forgives typing errors. Both are answered
from an index, in one statement for each sort of thing.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import case, func, literal, literal_column, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.access.service import Viewer
from hub.accounts.model import ACCOUNT_TEXT, PERSON_TEXT, Account, Person
from hub.accounts.queries import READERS
from hub.kit.errors import Invalid

SHORTEST: Final = 2
LONGEST: Final = 200
MOST_WORDS: Final = 10


class Sought(StrEnum):
    """What can be searched for."""

    ACCOUNT = "account"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Hit:
    """Something found; the higher the rank, the better it fits."""

    row: Account | Person
    rank: float


async def search(session: AsyncSession, viewer: Viewer, text: str, kinds: Collection[Sought], limit: int) -> list[Hit]:
    """What fits the text, the best first; among equals by name. One statement for each kind.

    Raises `Invalid` for a text without a letter or digit, shorter than 2 or longer than 200 characters.
    """
    viewer.require(*READERS)
    asked = " ".join(text.split()).lower()
    words = re.findall(r"\w+", asked)[:MOST_WORDS]
    if not SHORTEST <= len(asked) <= LONGEST or not words or "\x00" in asked:
        raise Invalid(f"Search for {SHORTEST} to {LONGEST} characters.", path=("text",))
    hits: list[Hit] = []
    for kind, entity, document in (
        (Sought.ACCOUNT, Account, ACCOUNT_TEXT),
        (Sought.PERSON, Person, PERSON_TEXT),
    ):
        if kind in kinds:
            hits += await _search(session, entity, document, asked, words, limit)
    return sorted(hits, key=lambda hit: (-hit.rank, hit.row.name or "", hit.row.id))[:limit]


async def _search(
    session: AsyncSession,
    entity: type[Account] | type[Person],
    document: str,
    asked: str,
    words: list[str],
    limit: int,
) -> list[Hit]:
    text: Any = literal_column(document)
    simple: Any = literal_column("'simple'::regconfig")
    prefixes = func.to_tsquery(simple, " & ".join(f"{word}:*" for word in words))
    begins = func.to_tsvector(simple, text).op("@@")(prefixes)
    rank = case((begins, 1.0), else_=0.0) + func.word_similarity(literal(asked), text)
    found = await session.execute(
        select(entity, rank.label("rank"))
        .where(entity.merged_into.is_(None), or_(begins, literal(asked).op("<%")(text)))
        .order_by(rank.desc(), entity.id)
        .limit(limit)
    )
    return [Hit(row, value) for row, value in found]
