"""8: cursors of before."""

from tests.sdk.broken import FIXTURES, broken

KEPT = f"{FIXTURES}/cursors/answers.json"

BROKEN = [
    broken("an older cursor does not parse", "cursors.old", (KEPT, "[", '[{"page": 3}, ')),
    broken("no cursor was kept", "cursors.kept", (KEPT, "", "")),
]
