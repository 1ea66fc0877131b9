"""4: `check` gives the wrong answer."""

from tests.sdk.broken import CHECKS, CONNECTOR, broken, guarded

UNREAD = 'return str((await self.http.get("/v1/me")).raise_for_status().json()["workspace"])'


def mistaken(error: str, other: str) -> str:
    """One error taken for another."""
    return guarded(CHECKS, f"sdk.errors.{error}", f'raise sdk.errors.{other}("Who knows.")')


BROKEN = [
    broken(
        "nobody's name", "check.success", (CONNECTOR, CHECKS, CHECKS.replace("return ", "") + '\n        return ""')
    ),
    broken("401 is an outage", "check.401", (CONNECTOR, CHECKS, mistaken("AuthExpired", "Unavailable"))),
    broken("403 is an outage", "check.403", (CONNECTOR, CHECKS, mistaken("Misconfigured", "Unavailable"))),
    broken("an outage is a wrong key", "check.silence", (CONNECTOR, CHECKS, mistaken("Unavailable", "Misconfigured"))),
    broken("any answer is an answer", "check.garbage", (CONNECTOR, CHECKS, UNREAD)),
]
