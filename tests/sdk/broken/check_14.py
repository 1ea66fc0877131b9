"""14: a webhook says something else than a poll."""

from tests.sdk.broken import CONNECTOR, broken

REFETCH = """    @answers.refetch
    async def _(self, record_id: str) -> sdk.Tombstone:
        return sdk.Tombstone("answers", record_id)

"""

BROKEN = [
    broken(
        "a version of its own",
        "parity.ids",
        (
            CONNECTOR,
            'yield sdk.Received("answers", message["data"])',
            'yield sdk.Received("answers", {**message["data"], "revision": 2})',
        ),
    ),
    broken(
        "a refetch finds nothing",
        "parity.refetch",
        (CONNECTOR, "    @answers.normalize\n", f"{REFETCH}    @answers.normalize\n"),
    ),
]
