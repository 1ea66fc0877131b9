"""Reading YAML: plain values with their lines, and nothing that a stranger's file could do harm with."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.blueprint.problems import BlueprintInvalid, Place, place_of
from hub.blueprint.reading import MAX_BYTES, read_document, read_text
from hub.kit.errors import NotFound


def problems_of(text: str) -> list[str]:
    with pytest.raises(BlueprintInvalid) as raised:
        read_text(text, file="b.yaml")
    return [str(problem) for problem in raised.value.problems]


def test_values_are_read_as_yaml_1_2_reads_them() -> None:
    """Words that older YAML takes for booleans, sixties or dates are text; quotes keep a number text."""
    document = read_text(
        """
        a: {on: yes, no: off, t: 1:30, d: 2026-05-01, quoted: "5", e: , tilde: ~, n: null}
        b: [1, -2, +3, 0.5, .5, 2., 1e3, true, False, 0x1F, 1_000]
        c: |
          two
          lines
        """
    )
    assert document["a"] == {
        "on": "yes", "no": "off", "t": "1:30", "d": "2026-05-01", "quoted": "5", "e": None, "tilde": None, "n": None,
    }  # fmt: skip
    assert document["b"] == [1, -2, 3, 0.5, 0.5, 2.0, 1000.0, True, False, "0x1F", "1_000"]
    assert [type(value) for value in document["b"]] == [int, int, int, float, float, float, float, bool, bool, str, str]
    assert document["c"] == "two\nlines\n"


def test_every_part_knows_its_line() -> None:
    """A key's line and a list entry's line are kept; what has none has that of the part around it."""
    document = read_text("a: 1\nb:\n  c:\n    - x\n    - d: 2\n", file="b.yaml")
    assert place_of(document, ("a",)) == Place("b.yaml", 1)
    assert place_of(document, ("b", "c")) == Place("b.yaml", 3, 3)
    assert place_of(document, ("b", "c", 1, "d")) == Place("b.yaml", 5, 7)
    assert place_of(document, ("b", "c", 1, "d", "deeper")) == Place("b.yaml", 5, 7)
    assert place_of(document, ("elsewhere",)) is None
    assert place_of({"a": 1}, ("a",)) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\na: 2\n", "b.yaml:2: a: stands already on line 1"),
        ("a: &x [1]\nb: 2\n", "b.yaml:1: a: has an anchor (&name); aliases are not read, so take it away"),
        ("b: *x\n", "b.yaml:1: b: is an alias (*name); write the value out"),
        ("a: !!python/object/apply:os.system [ls]\n", "python/object/apply:os.system; only plain values are read"),
        ("a: !!binary aGk=\n", "b.yaml:1: a: has the tag tag:yaml.org,2002:binary; only plain values are read"),
        ("a: [1\nb: 2\n", "b.yaml:2: is not YAML: "),
        ("a:\n\t- 1\n", "b.yaml:2: is not YAML: "),
        ("a: 1\n---\nb: 2\n", "b.yaml:2: a second document begins here; one file holds one"),
        ("- 1\n- 2\n", "b.yaml:1: must be a mapping of sections"),
        ("just words\n", "b.yaml:1: must be a mapping of sections"),
        ("[a, b]: 1\n", "b.yaml:1: has a key that is not text"),
        ('a: "nul\\0"\n', "b.yaml:1: a: holds a NUL or half of a character"),
        ('a: "half \\ud800"\n', "b.yaml:1: "),
        ("a: \x07\n", "b.yaml:1: "),
        ("a: " + "[" * 60 + "]" * 60, "is nested more than 32 deep"),
        ("a: " + "x" * MAX_BYTES, "b.yaml:1: is too big: a blueprint has at most 1,000,000 bytes"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(text: str, problem: str) -> None:
    """Each broken text gives the line and what is wrong there."""
    assert any(problem in found for found in problems_of(text))


def test_aliases_cannot_unfold() -> None:
    """Nine levels of nine aliases, a gigabyte when unfolded, are refused at once."""
    levels = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    found = problems_of("\n".join(levels))
    assert "b.yaml:2: a1.0: is an alias (*name); write the value out" in found


def test_all_problems_of_a_file_come_at_once() -> None:
    """A repeated key does not hide the next one."""
    assert len(problems_of("a: 1\na: 2\nb: &x 1\nc: {d: 1, d: 2}\n")) == 3


def test_text_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    """The line of the first broken byte is told."""
    (tmp_path / "b.yaml").write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(BlueprintInvalid) as raised:
        read_document(tmp_path / "b.yaml")
    assert str(raised.value.problems[0]).endswith("b.yaml:2: is not UTF-8 text")


def test_a_folder_is_one_document(tmp_path: Path) -> None:
    """Sections may be spread over files, entry by entry, and every entry keeps its file and line."""
    (tmp_path / "1.yaml").write_text("blueprint: 1\nmeasures:\n  a: 1\n")
    (tmp_path / "2.yml").write_text("measures:\n  b: 2\nalerts: {}\n")
    (tmp_path / "README.md").write_text("not: [a part")
    document = read_document(tmp_path)
    assert document == {"blueprint": 1, "measures": {"a": 1, "b": 2}, "alerts": {}}
    assert place_of(document, ("measures", "b")) == Place(str(tmp_path / "2.yml"), 2, 3)


def test_two_files_cannot_define_the_same_entry(tmp_path: Path) -> None:
    """The second of them is the problem, and says where the first is."""
    (tmp_path / "1.yaml").write_text("name: x\nmeasures:\n  a: 1\n")
    (tmp_path / "2.yaml").write_text("\nname: y\nmeasures:\n  a: 2\n")
    with pytest.raises(BlueprintInvalid) as raised:
        read_document(tmp_path)
    first, second = tmp_path / "1.yaml", tmp_path / "2.yaml"
    assert [str(problem) for problem in raised.value.problems] == [
        f"{second}:2: name: stands already at {first}:1",
        f"{second}:4: measures.a: stands already at {first}:3",
    ]


def test_a_missing_file_or_an_empty_folder_is_not_found(tmp_path: Path) -> None:
    """Both say that there is no blueprint there."""
    for path in (tmp_path, tmp_path / "none.yaml"):
        with pytest.raises(NotFound, match="There is no blueprint at"):
            read_document(path)


def test_an_empty_file_is_an_empty_document(tmp_path: Path) -> None:
    """Whether that is enough is for the check to say."""
    (tmp_path / "b.yaml").write_text("# nothing yet\n")
    assert read_document(tmp_path) == {}
