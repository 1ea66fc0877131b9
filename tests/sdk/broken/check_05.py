"""5: rows that do not fit, or share a key."""

from tests.sdk.broken import CONNECTOR, broken

BROKEN = [
    broken(
        "objects share a key",
        "rows.fit",
        (CONNECTOR, "key=lambda answer: answer.id", "key=lambda answer: answer.company.id"),
    ),
    broken("a parameter is wrong", "rows.read", (CONNECTOR, 'params={"after"', 'params={"offset"')),
]
