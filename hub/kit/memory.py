"""How a long-lived process collects garbage: seldom, and never what it started with.

Requests and jobs free nearly all that they make by reference counts. The collector's defaults look through everything
that was ever imported many times a second for the few cycles that are left.
"""

from __future__ import annotations

import gc

YOUNG = 20_000
MIDDLE = 20
OLD = 50
"""Allocations before the youngest is looked through, and how often each generation is before the next one is."""


def settle() -> None:
    """Call once, when a process has loaded what it runs."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
