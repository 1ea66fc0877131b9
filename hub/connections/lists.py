"""The work lists of this room."""

DELIVERIES = "deliveries"
"""Woken for; the work itself stands in `webhook_delivery`."""

STREAMS_TO_SYNC = "streams_to_sync"
"""Keys `<connection id>/<stream>/live` and `…/backfill`."""

RECORDS_TO_REFETCH = "records_to_refetch"
"""Keys `<connection id>/<stream>/<record id>`."""

RECORDS_TO_FOLLOW_UP = "records_to_follow_up"
"""Records that a webhook brought and whose stream has `on_received`; see `following_up`."""

RAW_RECORDS = "raw_records"
"""Woken for by whoever stores raw records; the timeline drains it, from `raw_pending`."""

FACTS_TO_DELIVER = "facts_to_deliver"
"""Keys are ids of connections with an outlet; see `delivering`."""
