"""7: going on where it was left off."""

from tests.sdk.broken import CONNECTOR, VENDOR, YIELDS, broken

FROM = 'after, held = int(request.query_params["after"]), self.held["answers"]'
PAGED = """\
        last = min(after + PAGE, len(held))
        return JSONResponse({"answers": self.shown(held[after:last]), "last": last, "more": last < len(held)})
"""
BY_TIME = """\
        times = [int(datetime.fromisoformat(row["answered_at"]).timestamp()) for row in self.held["answers"]]
        newer = [(at, row) for at, row in zip(times, self.held["answers"], strict=True) if at > after]
        last = newer[:PAGE][-1][0] if newer else after
        shown = self.shown([row for _, row in newer[:PAGE]])
        return JSONResponse({"answers": shown, "last": last, "more": len(newer) > PAGE})
"""

BROKEN = [
    broken(
        "the cursor stands still",
        "continuing.repeated",
        (CONNECTOR, YIELDS, "yield sdk.Page(page.answers, Since(sequence=0))"),
    ),
    broken(
        "times are cursors, and records share them",
        "continuing.ties continuing.late",
        (VENDOR, FROM, "after = int(request.query_params['after'])"),
        (VENDOR, PAGED, BY_TIME),
    ),
    broken(
        "every run begins anew",
        "continuing.again",
        (CONNECTOR, YIELDS, "yield sdk.Page(page.answers, Since(sequence=sequence if more else 0))"),
    ),
    broken(
        "every run begins anew, however far apart records are",
        "continuing.again",
        (CONNECTOR, YIELDS, "yield sdk.Page(page.answers, Since(sequence=sequence if more else 0))"),
        (VENDOR, "    def make(self", "    apart = 100 * sdk.testing.Vendor.apart\n\n    def make(self"),
    ),
    broken(
        "an empty page is taken for the end",
        "continuing.empty_page",
        (CONNECTOR, "page.last, page.more", "page.last, page.more and bool(page.answers)"),
    ),
]
