"""The operator's rules: bad rows come back, numbers stay, nothing leaks."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest

from desk.intake_formats import BadRow, Row
from desk.terms_file import Term, check_terms
from tests.desk_calls import Answer, Desk, desk

if TYPE_CHECKING:
    from pathlib import Path


def checked(*rows: dict[str, str]) -> list[Term | BadRow]:
    plain = {"id": "t1", "term": "bread"}
    read = [Row(line=at, raw="raw", fields={**plain, **row}) for at, row in enumerate(rows, start=2)]
    return list(check_terms(read, lambda text: text.casefold().strip("-")))


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"term": "---"}, "empty_term"),
        ({"term": "x" * 501}, "too_long"),
        ({"id": "x" * 121}, "too_long"),
        ({"kind": "regex"}, "kind"),
        ({"weight": "heavy"}, "weight"),
        ({"weight": "0"}, "weight"),
        ({"weight": "-1"}, "weight"),
        ({"weight": "nan"}, "weight"),
        ({"weight": "inf"}, "weight"),
        ({"weight": "1e9"}, "weight"),
    ],
)
def test_a_bad_term_comes_back(row: dict[str, str], code: str) -> None:
    (found,) = checked(row)

    assert isinstance(found, BadRow)
    assert found.code == code


@pytest.mark.parametrize("second", [{"term": "rye"}, {"id": "t2", "term": "BREAD"}])
def test_the_second_of_two_equal_rows_comes_back(second: dict[str, str]) -> None:
    first, other = checked({}, second)

    assert isinstance(first, Term)
    assert isinstance(other, BadRow)
    assert other.code == "duplicate"


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({}, "word"),
        ({"kind": "Word"}, "word"),
        ({"kind": "phrase"}, "phrase"),
        ({"term": "rye bread"}, "phrase"),
        ({"term": "rye bread", "kind": "word"}, "phrase"),
    ],
)
def test_a_term_with_other_signs_in_it_is_a_phrase(row: dict[str, str], kind: str) -> None:
    (found,) = checked(row)

    assert isinstance(found, Term)
    assert (found.kind, found.weight) == (kind, 1.0)


def imported(work: Desk, tmp_path: Path, text: str, user: str = "ada") -> Answer:
    path = tmp_path / "terms.csv"
    path.write_text("id,term,weight,kind\n" + text)
    return work.run("terms", "import", str(path), user=user)


def test_bad_rows_come_back_and_good_rows_count(tmp_path: Path) -> None:
    answer = imported(desk(tmp_path), tmp_path, "t1,sourdough,1,word\nt2,...,1,word\nt3,rye,x,word\n")
    with (tmp_path / "terms.csv.rejected.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["line"], row["code"]) for row in csv.DictReader(file)]

    assert answer.code == 1
    assert answer.last("summary") == {"rules": 1, "rejected": 2, "version": 1}
    assert rows == [("3", "empty_term"), ("4", "weight")]


def test_a_file_without_a_usable_row_leaves_the_rules_as_they_were(tmp_path: Path) -> None:
    work = desk(tmp_path)
    imported(work, tmp_path, "t1,sourdough,1,word\n")
    answer = imported(work, tmp_path, "t1,...,1,word\n")

    assert answer.code == 1
    assert [row["version"] for row in work.run("terms", "list").rows] == [1]


def test_a_second_import_replaces_the_rules_and_keeps_their_numbers(tmp_path: Path) -> None:
    work = desk(tmp_path)
    imported(work, tmp_path, "t1,sourdough,1,word\nt2,rye,1,word\n")
    imported(work, tmp_path, "t3,spelt,1,word\nt2,rye flour,2,phrase\n")
    rows = work.run("terms", "list", "--reveal", "--reason", "check").rows

    assert [(row["number"], row["id"], row["term"], row["weight"]) for row in rows] == [
        (3, "t3", "spelt", 1.0),
        (2, "t2", "rye flour", 2.0),
    ]


def test_terms_are_listed_without_words_unless_revealed(tmp_path: Path) -> None:
    work = desk(tmp_path)
    imported(work, tmp_path, "secret-id,sourdough,1,word\n")
    answer = work.run("terms", "list")

    assert [row["number"] for row in answer.rows] == [1]
    assert "sourdough" not in answer.out + answer.err
    assert "secret-id" not in answer.out + answer.err


def test_terms_are_not_stored_in_clear(tmp_path: Path) -> None:
    work = desk(tmp_path)
    imported(work, tmp_path, "secret-id,sourdough,1,word\n")
    stored = b"".join(file.read_bytes() for file in work.folder.iterdir() if file.is_file())

    assert b"sourdough" not in stored
    assert b"secret-id" not in stored


def test_an_auditor_imports_no_terms(tmp_path: Path) -> None:
    assert imported(desk(tmp_path), tmp_path, "t1,sourdough,1,word\n", user="dee").code == 3
