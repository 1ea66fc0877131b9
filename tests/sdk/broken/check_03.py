"""3: a secret comes out."""

from tests.sdk.broken import CHECKS, CONNECTOR, FIXTURES, broken, guarded

HEAD = "async def check(self) -> str:"
KEY = "self.config.api_key.get_secret_value()"

BROKEN = [
    broken(
        "a fixture holds the key",
        "secrets.fixtures",
        (f"{FIXTURES}/actions/thank.note.json", "Thank you", "acme-key: thank you"),
    ),
    broken(
        "repr shows the key",
        "secrets.repr",
        (CONNECTOR, HEAD, f"def __repr__(self) -> str:\n        return {KEY}\n\n    {HEAD}"),
    ),
    broken(
        "the key is logged",
        "secrets.logs",
        (CONNECTOR, "        return request\n", f"        print({KEY})\n        return request\n"),
    ),
    broken(
        "an error tells the key",
        "secrets.errors",
        (CONNECTOR, CHECKS, guarded(CHECKS, "sdk.errors.AuthExpired", f"raise sdk.errors.AuthExpired({KEY})")),
    ),
    broken(
        "the key is in the address",
        "secrets.address secrets.errors secrets.logs",
        (CONNECTOR, '"after": sequence', f'"after": sequence, "k": {KEY}'),
    ),
]
