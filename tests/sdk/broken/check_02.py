"""2: something that was released is gone."""

from tests.sdk.broken import broken

BROKEN = [
    broken("nothing was released", "release.manifest", ("manifest.json", "", "")),
    broken("an action was renamed", "release.dropped", ("manifest.json", '"name": "thank"', '"name": "praise"')),
]
