"""9: bad weather."""

from tests.sdk.broken import CONNECTOR, READS, broken, guarded

HOME = 'with __import__("socket").socket(type=2) as home:\n                home.connect(("127.0.0.1", 9))'


def swallowing(error: str) -> str:
    """The stream ends where it should fail."""
    return guarded(READS, error, "return", indent=12)


BROKEN = [
    broken("429 is the end", "weather.429", (CONNECTOR, READS, swallowing("sdk.errors.RateLimited"))),
    broken(
        "an outage is the end",
        "weather.429 weather.500 weather.silence",
        (CONNECTOR, READS, swallowing("sdk.errors.Unavailable")),
    ),
    broken(
        "nothing stops it",
        "weather.429 weather.500 weather.silence weather.cancel",
        (CONNECTOR, READS, swallowing("BaseException")),
    ),
    broken("it sleeps", "weather.sleep", (CONNECTOR, READS, f'__import__("time").sleep(0.001)\n            {READS}')),
    broken("it calls home", "weather.hosts", (CONNECTOR, READS, f"{HOME}\n            {READS}")),
]
