"""How long work is shown, on standard error: what is done, of how much where that is known, and how fast."""

from __future__ import annotations

from collections import Counter

from rich.progress import BarColumn, Progress, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

from hub.accounts.service import TO_SCORE
from hub.cli.console import err
from hub.kit import work
from hub.kit.runtime import Kit
from hub.worker import drain_all


class Figures(TextColumn):
    """`1,200 of 5,000 · 310/s · 12 s left`, as far as it is known, and the task's note."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        said = [f"{int(task.completed):,}" + (f" of {int(task.total):,}" if task.total else "")]
        speed = task.finished_speed or task.speed
        if speed and not task.fields.get("ended"):
            said.append(f"{speed:,.0f}/s")
        if task.total and not task.finished and task.time_remaining is not None:
            said.append(f"{task.time_remaining:,.0f} s left")
        if note := task.fields.get("note"):
            said.append(str(note))
        return Text(" · ".join(said), style="dim", overflow="ellipsis")


def bar(quiet: bool) -> Progress:
    """A progress display; `quiet` shows nothing."""
    return Progress(
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        Figures(),
        TimeElapsedColumn(),
        console=err,
        disable=quiet,
        speed_estimate_period=10,
    )


async def carry_through(kit: Kit, progress: Progress) -> Counter[str]:
    """Take everything that waits through to the scores; returns how many entries of each list were handled."""
    task = progress.add_task("recording and scoring", total=None)
    handled = Counter(await drain_all(kit))
    async with kit.transaction() as session:
        await work.stop_settling(session, TO_SCORE, now=kit.clock.now())
    handled += Counter(await drain_all(kit))
    records, scored = handled["raw_records"], handled["accounts_to_score"]
    progress.update(task, completed=records, total=records, note=f"{scored:,} accounts scored")
    return handled
