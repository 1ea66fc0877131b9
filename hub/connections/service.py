"""The front door of this room: what others may ask of connections.

Inside, each verb stands with its like: installing, scheduling, records, quarantine, sync, actions.
"""

from hub.connections.actions import ActionOutcome, Emitted, Request, perform, perform_all
from hub.connections.erasing import forget_messages, forget_records, free_records, freed, needles, speaks_of
from hub.connections.hosting import open_connector, pure_connector
from hub.connections.installing import Installed, add, change, check, find, listing, pause, reconnect, remove
from hub.connections.outlets import oldest_needed, wake
from hub.connections.quarantine import (
    Replayed,
    Stage,
    Unreadable,
    quarantine,
    replay_quarantine,
    resolve_normalized,
    resolve_rows,
)
from hub.connections.reading import Ended, SyncOutcome
from hub.connections.records import PendingRecord, claim_pending, put_before_timeline, still_arriving, store
from hub.connections.scheduling import StreamKey, schedule_missing, schedule_sync
from hub.connections.sync import Progress, sync_stream

__all__ = [
    "ActionOutcome",
    "Emitted",
    "Ended",
    "Installed",
    "PendingRecord",
    "Progress",
    "Replayed",
    "Request",
    "Stage",
    "StreamKey",
    "SyncOutcome",
    "Unreadable",
    "add",
    "change",
    "check",
    "claim_pending",
    "find",
    "forget_messages",
    "forget_records",
    "free_records",
    "freed",
    "listing",
    "needles",
    "oldest_needed",
    "open_connector",
    "pause",
    "perform",
    "perform_all",
    "pure_connector",
    "put_before_timeline",
    "quarantine",
    "reconnect",
    "remove",
    "replay_quarantine",
    "resolve_normalized",
    "resolve_rows",
    "schedule_missing",
    "schedule_sync",
    "speaks_of",
    "still_arriving",
    "store",
    "sync_stream",
    "wake",
]
