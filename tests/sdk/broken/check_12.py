"""12: strange rows."""

from tests.sdk.broken import CONNECTOR, MODELS, YIELDS, broken

BROKEN = [
    broken(
        "a new field is refused",
        "strangers.unknown",
        (MODELS, "class Answer(BaseModel):", 'class Answer(BaseModel, extra="forbid"):'),
    ),
    broken(
        "one bad row costs the page",
        "strangers.missing",
        (
            CONNECTOR,
            YIELDS,
            YIELDS.replace("page.answers", '[{**row, "score": int(row["score"])} for row in page.answers]'),
        ),
    ),
]
