"""What commands print: harmless for terminals, one JSON object a line, no values in bug reports."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caselog.records.choices import Origin
from desk.output import Output, bug_report, cell, json_line, plain

ESCAPE = "\x1b]0;title\x07\u202ebread"


def test_no_terminal_sequence_survives(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output()
    out.row({"key": ESCAPE})
    out.rows([{"key": ESCAPE}], ("key",))
    out.error("intake", ESCAPE)
    captured = capsys.readouterr()

    assert not any(sign in captured.out + captured.err for sign in "\x1b\x07\u202e")


def test_markup_in_a_cell_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    Output().rows([{"key": "[bold]rye[/bold] [link=x]"}], ("key",))

    assert "[bold]rye[/bold] [link=x]" in capsys.readouterr().out


@given(st.text())
def test_a_plain_text_is_printable(text: str) -> None:
    assert plain(text).isprintable()


@given(st.dictionaries(st.text(), st.text() | st.none() | st.lists(st.text())))
def test_a_json_line_is_one_line_of_ascii(value: dict[str, object]) -> None:
    line = json_line(value)

    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line) == value


def test_times_and_choices_have_their_stable_form() -> None:
    line = json_line({"at": datetime(2026, 5, 1, 12, tzinfo=UTC), "origin": Origin.REPORTED, "none": None})

    assert json.loads(line) == {"at": "2026-05-01T12:00:00Z", "origin": "reported", "none": None}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "yes"),
        (False, "no"),
        (0.5, "0.5"),
        ([1, 2], "1, 2"),
        ({"pending": 3, "none": None}, "pending 3"),
        (datetime(2026, 5, 1, 12, tzinfo=UTC), "2026-05-01 12:00"),
        ("x" * 300, "x" * 200),
    ],
)
def test_a_cell_is_short_and_readable(value: object, text: str) -> None:
    assert cell(value) == text


def test_an_error_is_an_object_too_with_json(capsys: pytest.CaptureFixture[str]) -> None:
    Output(json=True).error("intake", "There is no lead 7.", "List them.")
    captured = capsys.readouterr()

    assert captured.err == "There is no lead 7. List them.\n"
    assert json.loads(captured.out) == {
        "error": {"kind": "intake", "message": "There is no lead 7.", "hint": "List them."}
    }


def test_quiet_keeps_results_only(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output(quiet=True)
    out.say("hello")
    out.summary(pages=1)
    out.row({"id": 1})
    captured = capsys.readouterr()

    assert (captured.out, captured.err) == ("id  1\n", "")


def test_the_summary_is_the_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    Output(json=True).summary(pages=1, seconds=0.5)

    assert capsys.readouterr().out == '{"summary": {"pages": 1, "seconds": 0.5}}\n'


def test_progress_prints_nothing_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    with Output().progress("rows", 3) as advance:
        advance(1)
    captured = capsys.readouterr()

    assert captured.out + captured.err == ""


def _fail(secret: str) -> None:
    try:
        int(secret)
    except ValueError as error:
        raise RuntimeError(f"about {secret}") from error


def test_a_bug_report_holds_no_value_of_any_link_of_the_chain() -> None:
    with pytest.raises(RuntimeError) as caught:
        _fail("http://bread.example/rye")
    report = bug_report(caught.value)

    assert "bread.example" not in report
    assert "builtins.ValueError" in report
    assert "builtins.RuntimeError" in report
    assert "in _fail" in report
