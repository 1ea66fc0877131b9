"""`hub import`: accounts, people, contracts and history from a file, as half of the world keeps them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from hub.cli.console import AsJson, print_json, print_table, say
from hub.cli.importing.document import Document, applied, load, write
from hub.cli.importing.fields import FieldOf, fields, streams
from hub.cli.importing.guessing import guess
from hub.cli.importing.keys import KeysSeen
from hub.cli.importing.reading import Form, Table, opened
from hub.cli.importing.rows import Maker, Problem, RowOf
from hub.cli.progress import bar, carry_through
from hub.cli.session import run
from hub.connections import registry
from hub.connections import service as connections
from hub.kit.errors import Invalid, NotFound
from hub.kit.runtime import Kit
from hub.sdk.connector import Stream
from hub.timeline import service as timeline

PAGE = 1_000
PREVIEWED = 10
GUESSED_FROM = 200
PROBLEMS_SHOWN = 20


@dataclass(slots=True)
class Outcome:
    """What an import did: rows by what became of them, and the first of its problems."""

    rows: timeline.Imported = field(default_factory=timeline.Imported)
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Source:
    """A file and how it is to be read."""

    path: Path
    document: Document
    stream: Stream[Any]
    known: dict[str, FieldOf]
    as_of: str

    def maker(self, table: Table) -> Maker:
        return Maker(
            self.document, self.stream.record, self.known, applied(self.document, self.known, table.header), self.as_of
        )


def import_file(
    file: Annotated[Path, typer.Argument(help="A CSV file; delimiter and encoding are detected.")],
    map_: Annotated[Path | None, typer.Option("--map", help="The mapping. Default: FILE.map.yaml.")] = None,
    guess_: Annotated[
        bool, typer.Option("--guess", help="Guess the mapping from the header, write it, and show what it reads.")
    ] = False,
    stream: Annotated[str | None, typer.Option(help="With --guess: what the rows are, e.g. accounts.")] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Show the first rows as they would be read.")] = False,
    connection: Annotated[str, typer.Option(help="Whose keys these are; one for each system.")] = "csv",
    as_of: Annotated[datetime | None, typer.Option(help="When the file was true. Default: when it was saved.")] = None,
    as_json: AsJson = False,
) -> None:
    """Import accounts, people, contracts or events from a file.

    The same file twice changes nothing, a corrected row replaces the one with its key, and a row that cannot be read is
    kept in quarantine and told with its line and column. Can be interrupted and repeated.
    """
    path = map_ or file.with_suffix(".map.yaml")
    if guess_:
        write(_guessed(file, stream), path)
        if not as_json:
            say(f"The mapping is in {path}: look it over, then run hub import {file} --map {path}")
    source = _source(file, load(path), as_of)
    if guess_ or preview:
        _show(source, as_json)
        return
    outcome = run(lambda kit: _import(kit, source, connection, bar(as_json)))
    if as_json:
        print_json({**asdict(outcome.rows), "problems": [asdict(problem) for problem in outcome.problems]})
    else:
        _tell(outcome, connection)
    if outcome.rows.bad:
        raise typer.Exit(2)


def _guessed(file: Path, stream: str | None) -> Document:
    declared = {name: fields(one.record) for name, one in streams("csv").items()}
    if stream is not None and stream not in declared:
        raise NotFound(f"There is no stream {stream!r}.", remedy=f"There are: {', '.join(declared)}")
    with opened(file, None, None) as table:
        sample = [line.cells for line in islice(table.lines(), GUESSED_FROM)]
        return guess(table.header, sample, declared, stream)


def _source(file: Path, document: Document, as_of: datetime | None) -> Source:
    found = streams("csv")
    if document.stream not in found:
        raise Invalid(f"There is no stream {document.stream!r}.", remedy=f"There are: {', '.join(found)}")
    one = found[document.stream]
    if not file.is_file():
        raise Invalid(f"{file} is no file.", remedy="Check the name.")
    moment = as_of.astimezone(UTC) if as_of else datetime.fromtimestamp(int(file.stat().st_mtime), UTC)
    return Source(file, document, one, dict(fields(one.record)), moment.isoformat())


def _show(source: Source, as_json: bool) -> None:
    """The first rows as they would be read, and what is wrong with them; nothing is written."""
    with opened(source.path, source.document.encoding, source.document.delimiter) as table:
        maker = source.maker(table)
        rows = [maker.make(line) for line in islice(table.lines(), PREVIEWED)]
        form: Form = table.form
    problems = [problem for row in rows for problem in row.problems]
    if as_json:
        shown = [{"line": row.line, "row": row.row, "problems": [asdict(one) for one in row.problems]} for row in rows]
        print_json({"stream": source.document.stream, "form": asdict(form), "rows": shown})
        return
    names = [name for name in source.known if any(name in row.row for row in rows)]
    table_rows = [{"line": row.line, **{name: row.row.get(name) for name in names}} for row in rows]
    print_table(
        f"{source.document.stream}, {form.encoding}, {form.delimiter!r}", ["line", *names], table_rows, empty="No rows."
    )
    for problem in problems:
        say(str(problem))


async def _import(kit: Kit, source: Source, connection: str, progress: Progress) -> Outcome:
    """Page after page, each its own transaction; then what was imported goes through to the scores."""
    connection_id = await _connection(kit, connection)
    outcome = Outcome()
    with (
        progress,
        KeysSeen() as seen,
        opened(source.path, source.document.encoding, source.document.delimiter) as table,
    ):
        task = progress.add_task(f"{source.path.name}: {source.document.stream}", total=table.size, unit="bytes")
        for page in _pages(source.maker(table), table):
            unique = _each_key_once(source.stream, page, seen)
            outcome.problems += [problem for row in unique for problem in row.problems][
                : PROBLEMS_SHOWN - len(outcome.problems)
            ]
            reasons = {nth: "; ".join(map(str, row.problems)) for nth, row in enumerate(unique) if row.problems}
            async with kit.transaction() as session:
                outcome.rows += await timeline.import_rows(
                    session,
                    kit.vault,
                    connection_id,
                    source.stream,
                    [row.row for row in unique],
                    reasons=reasons,
                    now=kit.clock.now(),
                )
            done = outcome.rows
            progress.update(
                task,
                completed=table.read,
                note=f"{done.new + done.replaced + done.known:,} rows, {done.bad:,} unreadable",
            )
        progress.update(task, completed=table.size)
        await carry_through(kit, progress)
    return outcome


async def _connection(kit: Kit, name: str) -> Any:
    """The connection of that name, made when the first file comes."""
    async with kit.transaction() as session:
        try:
            row = await connections.find(session, name)
        except NotFound:
            found = registry.current()
            config = {"source": name}
            row = await connections.add(session, kit.vault, found, "csv", name, config, now=kit.clock.now())
        if row.connector != "csv":
            raise Invalid(f"{name} is a connection to {row.connector}.", remedy="Choose another name: --connection")
        return row.id


def _pages(maker: Maker, table: Table) -> Iterator[list[RowOf]]:
    lines = table.lines()
    while page := [maker.make(line) for line in islice(lines, PAGE)]:
        yield page


def _each_key_once(stream: Stream[Any], page: Sequence[RowOf], seen: KeysSeen) -> list[RowOf]:
    """The page's rows; one whose key another line had is refused, and names that line."""
    keys = [(stream.key(stream.record.model_validate(row.row)), row.line) for row in page if not row.problems]
    earlier = seen.first(keys)
    return [_again(row, f"line {earlier[row.line]} has the same key") if row.line in earlier else row for row in page]


def _again(row: RowOf, reason: str) -> RowOf:
    unread = {"unread": {"key": "another line has the same key"}}
    return RowOf(row.line, {**row.row, **unread}, (Problem(row.line, None, reason, "remove one of them"),))


def _tell(outcome: Outcome, connection: str) -> None:
    done = outcome.rows
    say(
        f"{done.new:,} rows are new, {done.replaced:,} replaced others, {done.known:,} were known; "
        f"{done.bad:,} cannot be read."
    )
    for problem in outcome.problems:
        say(f"  {problem}")
    if done.bad:
        say(f"They are kept: hub quarantine list {connection}. Mend the file, and import it again.")
