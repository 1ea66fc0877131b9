"""Trusted documents: what first-party screens ask, known before they ask it.

A request names a document by its digest, `{"documentId": "sha256:…"}`, instead of sending it (the form of the GraphQL
over HTTP specification's appendix on persisted documents). With `HUB_AD_HOC_QUERIES` they can be made the only ones
that are accepted, from everybody or from keys without that permission. A document is trusted for what it says,
whether it came by its digest or as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal

import orjson

from hub.access.service import Viewer
from hub.graphql.errors import Code, coded
from hub.kit.errors import SettingsInvalid

PREFIX: Final = "sha256:"

AdHoc = Literal["all", "permitted", "none"]


def id_of(text: str) -> str:
    """The id of a document: the digest of exactly this text."""
    return PREFIX + sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Trusted:
    """The documents of one server by their ids, and who may ask others."""

    texts: Mapping[str, str] = field(default_factory=dict)
    ad_hoc: AdHoc = "all"
    _known: frozenset[str] = frozenset()

    def text(self, id_: object) -> str:
        """The document of an id. Raises `GraphQLError` (DOCUMENT_NOT_FOUND)."""
        found = self.texts.get(id_) if isinstance(id_, str) else None
        if found is None:
            raise coded("There is no trusted document with this id.", Code.DOCUMENT_NOT_FOUND)
        return found

    def check(self, text: str, viewer: Viewer) -> None:
        """Raises `GraphQLError` (FORBIDDEN) for a document that is not trusted, from somebody who may not ask it."""
        if self.ad_hoc == "all" or (self.ad_hoc == "permitted" and viewer.ad_hoc) or text in self._known:
            return
        remedy = "Use a key made with --ad-hoc." if self.ad_hoc == "permitted" else "Name it by `documentId`."
        raise coded(f"Only trusted documents are answered here. {remedy}", Code.FORBIDDEN)


def load(path: Path | None, ad_hoc: AdHoc) -> Trusted:
    """The documents of a folder (each `.graphql` file is one), or of a JSON file `{id: text}` as clients' tools write.

    An id may go without `sha256:`. Raises `SettingsInvalid` for what cannot be read, and for an id that is not the
    digest of its text.
    """
    if path is None:
        return Trusted(ad_hoc=ad_hoc)
    try:
        texts = _read(path)
    except (OSError, ValueError, AttributeError) as error:
        raise SettingsInvalid(
            f"HUB_TRUSTED_DOCUMENTS: {path} cannot be read: {error}",
            remedy="Name a folder of .graphql files, or a JSON file of documents by their ids.",
        ) from None
    return Trusted(texts, ad_hoc, frozenset(texts.values()))


def _read(path: Path) -> dict[str, str]:
    if path.is_dir():
        files = sorted(path.rglob("*.graphql"))
        return {id_of(text): text for text in (file.read_text(encoding="utf-8") for file in files)}
    found = {}
    for id_, text in orjson.loads(path.read_bytes()).items():
        if id_.removeprefix(PREFIX) != id_of(text).removeprefix(PREFIX):
            raise ValueError(f"{id_} is not the SHA-256 of its document")
        found[id_of(text)] = text
    return found
