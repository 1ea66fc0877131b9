"""6: what was not kept is lost when the reader is killed."""

from tests.sdk.broken import CONNECTOR, READS, YIELDS, broken

BROKEN = [
    broken(
        "the cursor runs ahead of its rows",
        "resuming.lost",
        (CONNECTOR, YIELDS, "yield sdk.Page(page.answers, Since(sequence=sequence + 2 * more))"),
    ),
    broken(
        "the cursor of a full refresh runs ahead of its rows",
        "resuming.lost",
        (CONNECTOR, YIELDS, "yield sdk.Page(page.answers, Since(sequence=sequence + 2 * more), complete=not more)"),
        (CONNECTOR, "interval=timedelta(minutes=15),", "interval=timedelta(minutes=15),\n        full_refresh=True,"),
    ),
    broken(
        "resuming needs what only the first run had",
        "resuming.error",
        (
            CONNECTOR,
            READS,
            f'if cursor and sequence < 5:\n                raise KeyError("total")\n            {READS}',
        ),
    ),
]
