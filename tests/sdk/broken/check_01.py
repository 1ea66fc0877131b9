"""1: importing has an effect, or no result."""

from tests.sdk.broken import CONNECTOR, broken

BROKEN = [
    broken(
        "a module reads a file",
        "import.touches",
        (
            CONNECTOR,
            "import orjson\n",
            "import orjson\n\nABOUT = open(__file__.replace('connector.py', 'about.txt'), 'a').close()\n",
        ),
    ),
    broken(
        "the hook is misspelled",
        "import.loads",
        ("src/hub_acme/__init__.py", "def hub_register_connectors(", "def hub_register_connector("),
    ),
    broken(
        "a declaration cannot be right",
        "import.manifest import.loads",
        (CONNECTOR, "interval=timedelta(minutes=15)", "interval=timedelta(milliseconds=15)"),
    ),
]
