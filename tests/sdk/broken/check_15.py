"""15: actions."""

from tests.sdk.broken import CONNECTOR, FIXTURES, VENDOR, broken, guarded

SENDS = 'answer = await self.http.post("/v1/notes", json=thanks.model_dump(), headers={"Idempotency-Key": key})'
READ = "return sdk.expect(answer, Thanked)"

BROKEN = [
    broken("no input is shown", "action.fixtures", (f"{FIXTURES}/actions/thank.note.json", "", "")),
    broken(
        "another key each time",
        "action.once action.silence",
        (CONNECTOR, '"Idempotency-Key": key', '"Idempotency-Key": str(__import__("uuid").uuid4())'),
    ),
    broken(
        "silence is taken for success",
        "action.silence action.dry_run",
        (CONNECTOR, SENDS, guarded(SENDS, "sdk.errors.ConnectorError", 'return Thanked(note="sent")')),
    ),
    broken(
        "a refusal is taken for success",
        "action.rejected",
        (CONNECTOR, READ, 'return Thanked(note=answer.json().get("note", "none"))'),
    ),
    broken(
        "a dry run is not dry",
        "action.dry_run action.rejected",
        (CONNECTOR, SENDS, SENDS.replace(".post(", ".get(").replace("json=thanks.model_dump(), ", "")),
        (VENDOR, 'methods=["POST"]', 'methods=["GET"]'),
    ),
]
