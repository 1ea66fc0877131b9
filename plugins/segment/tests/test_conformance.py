"""Segment keeps the contract."""

from hub_segment import Segment

from hub import sdk

TestSegment = sdk.testing.conformance(
    Segment,
    exempt={
        "webhook.changed": "the source API knows a write key and no signature; of a destination's batch, Segment signs "
        "the first event alone",
        "webhook.stale": "Segment signs no time; the message's own id is the guard against a replay",
        "webhook.future": "as above: there is no signed time",
    },
)
