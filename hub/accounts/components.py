"""Sets that grow by joining (union-find, with path halving and union by size): nearly constant time for each step.

R. E. Tarjan, J. van Leeuwen, "Worst-case analysis of set union algorithms", J. ACM 31 (1984), 245–281.
"""

from __future__ import annotations

from collections import defaultdict
from uuid import UUID


class Components:
    """Which of the things added so far belong together."""

    def __init__(self) -> None:
        self._parent: dict[UUID, UUID] = {}
        self._size: dict[UUID, int] = {}

    def add(self, one: UUID) -> None:
        """Make it a set of its own, unless it is in one already."""
        if one not in self._parent:
            self._parent[one] = one
            self._size[one] = 1

    def join(self, first: UUID, *others: UUID) -> None:
        """Make one set of all the sets that these are in."""
        self.add(first)
        for other in others:
            self.add(other)
            self._unite(self.root(first), self.root(other))

    def root(self, one: UUID) -> UUID:
        """The one that stands for the set; it may change with the next `join`."""
        parent = self._parent
        while parent[one] != one:
            parent[one] = one = parent[parent[one]]
        return one

    def sets(self) -> list[frozenset[UUID]]:
        """All sets, in the order of their smallest members."""
        found: dict[UUID, set[UUID]] = defaultdict(set)
        for one in self._parent:
            found[self.root(one)].add(one)
        return sorted(map(frozenset, found.values()), key=min)

    def copy(self) -> Components:
        """The same sets, free to grow apart."""
        other = Components()
        other._parent, other._size = dict(self._parent), dict(self._size)
        return other

    def _unite(self, one: UUID, other: UUID) -> None:
        if one == other:
            return
        if self._size[one] < self._size[other]:
            one, other = other, one
        self._parent[other] = one
        self._size[one] += self._size[other]
