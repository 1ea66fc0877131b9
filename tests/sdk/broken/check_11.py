"""11: golden pairs."""

from tests.sdk.broken import CONNECTOR, FIXTURES, broken

BROKEN = [
    broken(
        "half of a pair is missing", "golden.pairs golden.kinds", (f"{FIXTURES}/answers.promoter.events.json", "", "")
    ),
    broken("a pair is of yesterday", "golden.equal", (f"{FIXTURES}/answers.promoter.events.json", "9.0", "8.0")),
    broken(
        "a kind has no example",
        "golden.kinds",
        (CONNECTOR, 'emits={"survey.answered"}', 'emits={"survey.answered", "x.acme.seat.taken"}'),
    ),
]
