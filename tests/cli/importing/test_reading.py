"""Files as spreadsheets save them: encodings, delimiters, wide rows, and what is wrong with a line."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from hub.cli.importing.document import Document, applied
from hub.cli.importing.fields import fields, streams
from hub.cli.importing.guessing import guess
from hub.cli.importing.reading import opened
from hub.kit.errors import Invalid

TEXT = "Größe;Name\n1;Müller\n2;Søren\n"


@pytest.mark.parametrize(
    ("encoding", "detected"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("utf-16", "utf-16"), ("utf-32", "utf-32"), ("cp1252", "cp1252")],
)
def test_encoding_and_delimiter_are_detected(tmp_path: Path, encoding: str, detected: str) -> None:
    """By the byte order mark, or by what the bytes can be."""
    path = tmp_path / "a.csv"
    path.write_bytes(TEXT.encode(encoding))
    with opened(path, None, None) as table:
        assert (table.form.encoding, table.form.delimiter, table.header) == (detected, ";", ["Größe", "Name"])
        assert [line.cells for line in table.lines()] == [["1", "Müller"], ["2", "Søren"]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_delimiter_in_a_quoted_cell_does_not_mislead(tmp_path: Path, delimiter: str) -> None:
    """The one that cuts the rows alike is it."""
    path = tmp_path / "a.csv"
    rows = [["id", "note", "x"], ["1", '"a, b; c"', "y"], ["2", '"d\ne"', "z"]]
    path.write_text("".join(delimiter.join(row) + "\r\n" for row in rows), newline="")
    with opened(path, None, None) as table:
        assert table.form.delimiter == delimiter
        assert [(line.number, line.cells[1], line.problem) for line in table.lines()] == [
            (2, "a, b; c", None),
            (4, "d\ne", None),
        ]


def test_a_line_that_is_wrong_says_why_and_the_others_go_on(tmp_path: Path) -> None:
    """Too many cells, bytes of another encoding; blank lines are none."""
    path = tmp_path / "a.csv"
    path.write_bytes(b"id,name\n" + b"0,x\n" * 100_000 + b"1,a,b\n\n,\n2,M\xfcller\n3,c\n")
    with opened(path, None, None) as table:
        found = [line for line in table.lines() if line.cells[0] != "0"]
    assert [line.number for line in found] == [100_002, 100_005, 100_006]
    assert "3 cells, the header 2" in (found[0].problem or "")
    assert "not utf-8" in (found[1].problem or "")
    assert found[2].problem is None


def test_a_file_of_thousands_of_columns_is_read_with_flat_memory(tmp_path: Path) -> None:
    """Twenty times as many rows take no more memory."""
    peaks = []
    for rows in (50, 1_000):
        path = tmp_path / f"{rows}.csv"
        path.write_text(",".join(f"c{n}" for n in range(4_000)) + "\n" + (",".join("1" * 4_000) + "\n") * rows)
        tracemalloc.start()
        with opened(path, None, None) as table:
            assert sum(1 for _ in table.lines()) == rows
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.2


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"", "no header"), (b"a,a\n1,2\n", "more than one column 'a'"), (b"PK\x03\x04\x00\x00", "no text file")],
)
def test_a_file_of_no_use_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    """With what to do about it."""
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(Invalid, match=complaint) as refused, opened(path, None, None):
        pass
    assert refused.value.remedy


KNOWN = {name: fields(stream.record) for name, stream in streams("csv").items()}


def test_a_mapping_is_guessed_from_the_header() -> None:
    """The stream, its columns, the decimal mark and the form of the dates."""
    header = ["Contract No", "Customer No", "Start date", "Renewal date", "ARR", "Currency", "Notes"]
    guessed = guess(header, [["C1", "1001", "01.02.2026", "31.01.2027", "1.200,50", "EUR", "x"]], KNOWN, None)
    assert guessed.stream == "contracts"
    assert guessed.columns == {
        "key": "Contract No",
        "account": "Customer No",
        "starts_at": "Start date",
        "ends_at": "Renewal date",
        "amount": "ARR",
        "currency": "Currency",
    }
    assert (guessed.decimal, guessed.dates) == (",", "%d.%m.%Y")


def test_what_nobody_can_guess_is_asked() -> None:
    """Dates that fit two forms, and a header that tells no stream."""
    with pytest.raises(Invalid, match=r"%d/%m/%Y and %m/%d/%Y"):
        guess(["id", "name", "renewal date"], [["1", "A", "03/04/2026"]], KNOWN, "accounts")
    with pytest.raises(Invalid, match="lacks"):
        guess(["colour"], [["red"]], KNOWN, None)


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({"columns": {"key": "ID"}}, "no column 'ID'"),
        ({"columns": {"kee": "id"}}, "no field 'kee'"),
        ({"columns": {"name": "id"}}, "needs key"),
    ],
)
def test_a_mapping_that_does_not_fit_the_file_names_what_does_not(document: dict[str, object], complaint: str) -> None:
    """And what there is instead."""
    with pytest.raises(Invalid, match=complaint):
        applied(Document.model_validate({"stream": "accounts", **document}), KNOWN["accounts"], ["id", "name"])
