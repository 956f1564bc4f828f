"""The readers of incoming files: what is broken comes back with its line, what is good goes on."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.intake_formats import (
    LINE_BYTES,
    RAW_CHARACTERS,
    BadRow,
    Columns,
    Row,
    read_csv,
    read_jsonl,
    read_text,
)

COLUMNS = Columns(required=("url", "report"), optional=("category", "note"))
HEADER = b"url,report,category,note\n"


def from_csv(data: bytes) -> list[Row | BadRow]:
    return list(read_csv(io.BytesIO(data), COLUMNS))


def outline(rows: list[Row | BadRow]) -> list[tuple[int, str]]:
    return [(row.line, row.code if isinstance(row, BadRow) else "good") for row in rows]


GOOD = b"http://a.example/,R1,,\n"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"x" * 10_000_000 + b"\n", "too_long"),
        (b"http://a.example/\xff\xfe,R1,,\n", "encoding"),
        (b"http://a.example/\0,R1,,\n", "nul"),
        (b"http://a.example/,R1\n", "columns"),
        (b"http://a.example/,R1,a,b,c\n", "columns"),
        (b"http://a.example/,,,\n", "missing"),
        (b',R1,"",\n', "missing"),
        (b'"http://a.example/"x,R1,,\n', "csv"),
        (b'"http://a.example/,R1,,\n', "quotes"),
    ],
)
def test_a_bad_row_comes_back_and_its_neighbours_go_in(line: bytes, code: str) -> None:
    rows = from_csv(HEADER + GOOD + line + GOOD)

    assert outline(rows) == [(2, "good"), (3, code), (4, "good")]


def test_a_row_in_the_rejected_file_is_cut() -> None:
    (row,) = from_csv(HEADER + b"x" * 50_000 + b",\n")

    assert isinstance(row, BadRow)
    assert len(row.raw) == RAW_CHARACTERS


@pytest.mark.parametrize(
    "header", [b"address,number\n", b"url,category\n", b"url,report,colour\n", b"url,url,report\n"]
)
def test_every_row_comes_back_under_a_wrong_header(header: bytes) -> None:
    rows = from_csv(header + GOOD + GOOD)

    assert [code for _, code in outline(rows)][-2:] == ["columns", "columns"]


def test_a_file_without_header_loses_no_row() -> None:
    assert outline(from_csv(GOOD + GOOD)) == [(1, "columns"), (2, "columns")]


def test_an_unreadable_header_comes_back_with_its_rows() -> None:
    assert outline(from_csv(b"url,re\xffport\n" + GOOD)) == [(1, "encoding"), (2, "columns")]


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf", HEADER])
def test_an_empty_file_has_no_rows(data: bytes) -> None:
    assert from_csv(data) == []


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm() -> None:
    rows = from_csv(b"\xef\xbb\xbfURL, report \r\nhttp://a.example/,R1\r\n")

    assert [row.fields for row in rows if isinstance(row, Row)] == [
        {"url": "http://a.example/", "report": "R1"}
    ]


def test_a_quoted_row_may_take_several_lines() -> None:
    rows = from_csv(HEADER + b'http://a.example/,R1,,"two ""loaves""\nof rye"\n' + GOOD)

    assert outline(rows) == [(2, "good"), (4, "good")]
    assert isinstance(rows[0], Row)
    assert rows[0].fields["note"] == 'two "loaves"\nof rye'


def test_a_quote_inside_a_field_opens_nothing() -> None:
    rows = from_csv(HEADER + b'http://a.example/?q=a"b,R1,,\n' + GOOD)

    assert outline(rows) == [(2, "good"), (3, "good")]


def test_a_quote_that_never_closes_costs_one_line_only() -> None:
    rows = from_csv(HEADER + b'"http://a.example/,R0,,\n' + GOOD * 300)

    assert outline(rows) == [(2, "quotes")] + [(number, "good") for number in range(3, 303)]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("[" * 50_000, "json"),
        ("{", "json"),
        ("[1]", "json"),
        ('{"url": "http://a.example/", "report": ["R1"]}', "json"),
        ('{"url": "http://a.example/", "report": true}', "json"),
        ('{"url": "http://a.example/", "report": ' + "9" * 5_000 + "}", "json"),
        ('{"url": "http://a.example/", "report": "R1", "colour": "red"}', "columns"),
        ('{"url": "http://a.example/"}', "missing"),
        ('{"url": "http://a.example/\\ud800", "report": "R1"}', "encoding"),
        ('{"url": "http://a.example/\\u0000", "report": "R1"}', "encoding"),
        ("x" * (LINE_BYTES + 2), "too_long"),
    ],
)
def test_a_bad_json_line_comes_back(line: str, code: str) -> None:
    good = json.dumps({"url": "http://a.example/", "report": 7, "note": None})
    rows = list(read_jsonl(io.BytesIO(f"{line}\n{good}\n".encode()), COLUMNS))

    assert outline(rows) == [(1, code), (2, "good")]


def test_a_number_may_stand_for_a_report() -> None:
    (row,) = read_jsonl(io.BytesIO(b'{"url": "http://a.example/", "report": 7}'), COLUMNS)

    assert isinstance(row, Row)
    assert row.fields["report"] == "7"


def test_a_list_gives_one_address_a_line() -> None:
    rows = list(read_text(io.BytesIO(b"http://a.example/\r\n\n  http://b.example/ \n\xff\n")))

    assert outline(rows) == [(1, "good"), (3, "good"), (4, "encoding")]


@given(
    st.lists(
        st.sampled_from([b'"', b",", b"\n", b"\r\n", b"\0", b"\xff", b"a", b"url,report\n", b'""', b"\r"])
    )
)
def test_no_bytes_crash_the_csv_reader_or_lose_a_line(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    rows = from_csv(HEADER + data)
    taken = sum(row.raw.count("\n") + 1 for row in rows)
    lines = [line for line in data.split(b"\n") if line.strip(b" \r\t\x0b\x0c")]

    assert taken >= len(lines)
    assert [row.line for row in rows] == sorted({row.line for row in rows})


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_other_readers(data: bytes) -> None:
    lines = data.count(b"\n") + 1

    assert len(list(read_jsonl(io.BytesIO(data), COLUMNS))) <= lines
    assert len(list(read_text(io.BytesIO(data)))) <= lines
