"""What `/metrics` shows of the connections. Label values are few: connectors, streams and closed vocabularies."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

deliveries = Counter(
    "hub_deliveries",
    "Requests at the intake: accepted, duplicate, or why they were refused.",
    ["connector", "outcome"],
)
delivery_batches = Histogram(
    "hub_delivery_batch_rows",
    "Deliveries stored by one group commit.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
deliveries_read = Counter(
    "hub_deliveries_read", "Stored deliveries that were read: done, or kept as unreadable.", ["connector", "outcome"]
)
records = Counter(
    "hub_records",
    "Records that came in: new, repeated (known already) or bad (quarantined).",
    ["connector", "stream", "outcome"],
)
pages = Counter("hub_sync_pages", "Pages read from vendors and committed.", ["connector", "stream"])
sync_runs = Counter("hub_sync_runs", "Ends of a stretch of reading a stream.", ["connector", "stream", "outcome"])
vendor_requests = Counter("hub_vendor_requests", "Requests sent to vendors, by what came back.", ["host", "outcome"])
actions = Counter("hub_actions", "Actions asked of vendors.", ["action", "status"])
quarantined = Counter("hub_quarantined", "Things put into quarantine.", ["stage", "stream"])
facts_delivered = Counter(
    "hub_facts_delivered", "Facts that left through outlets: delivered, or failed.", ["connector", "outcome"]
)


def vendor_request(host: str, outcome: str) -> None:
    """Count a request to a vendor."""
    vendor_requests.labels(host, outcome).inc()
