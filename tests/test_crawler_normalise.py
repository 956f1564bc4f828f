"""The normalisation: the same form whatever the disguise, and the same as its steps taken one by one."""

# ruff: noqa: RUF001 - look-alikes are the subject
from __future__ import annotations

import hashlib
import sys
import unicodedata
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.reading.normalise import (
    block_streams,
    fold_blocks,
    fold_table,
    folded_blocks,
    letters,
    runs,
    stream,
)

FOLD_SHA256 = "e17067a5c742af4467b89f21b3824ad16bc4e857f504af3ef1eac82e0989e93a"
DROPPED = {"Cf", "Cc", "Mn", "Me", "Mc"}
LOOK_ALIKE = {"0": "o", "1": "l", "i": "l", "3": "e", "4": "a", "5": "s", "7": "t"}


def test_the_table_is_frozen() -> None:
    data = files("crawler") / "data" / "fold.tsv"

    assert hashlib.sha256(data.read_bytes()).hexdigest() == FOLD_SHA256


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("...", ""),
        ("Bread", "bread"),
        ("b\u200br\u00ade\u2060ad", "bread"),
        ("\uff22\uff32\uff25\uff21\uff24", "bread"),
        ("bre\u0301\u0308ad", "bread"),
        ("вrеаd", "bread"),
        ("8r34d", "8read"),
        ("S0urd0ugh", "sourdough"),
        ("𝐛𝐫𝐞𝐚𝐝", "bread"),
        ("Straße", "strasse"),
        ("İstanbul ISTANBUL ıstanbul", "lstanbullstanbullstanbul"),
        ("rye\nbread", "ryebread"),
        ("ﬁne ﬂour", "flneflour"),
        ("\ud800", ""),
        ("粉と水", "粉と水"),
        ("ﾊﾟﾝ", stream("パン")),
    ],
)
def test_disguises_fold_to_one_form(text: str, expected: str) -> None:
    assert stream(text) == expected


def test_runs_are_parted_by_single_spaces() -> None:
    assert runs("  Rye,\tbread — and\u00a0salt\n") == " rye bread and salt "


def test_empty_text_has_no_run() -> None:
    assert runs("") == " "


def test_letters_counts_what_remains() -> None:
    assert letters("R-y-e 12!") == 5


def test_blocks_keep_their_places_even_with_line_feeds_inside() -> None:
    blocks = ["rye\nbread", "", "Wasser — Mehl"]

    assert folded_blocks(blocks) == [["rye", "bread"], [], ["wasser", "mehl"]]
    assert block_streams(blocks) == ["ryebread", "", "wassermehl"]
    assert folded_blocks([]) == []


def _reference(text: str) -> str:
    """Take the whole text through the steps one after another."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    kept = "".join(c for c in folded if unicodedata.category(c) not in DROPPED)
    single = "".join(_prototype(c) for c in kept)
    return "".join(c for c in single if unicodedata.category(c)[0] in "LN")


def _prototype(char: str) -> str:
    """Take the look-alike step from the frozen table, where the character has no other step."""
    found = fold_table().get(ord(char), char)
    return LOOK_ALIKE.get(found, found)


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the table is Unicode 14, as in Python 3.11")
@given(st.text(max_size=60))
def test_the_table_equals_the_steps_taken_over_the_whole_text(text: str) -> None:
    assert stream(text) == _reference(text)


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the table is Unicode 14, as in Python 3.11")
@given(
    st.text(
        alphabet=st.one_of(
            st.sampled_from("aeioucαιουωysz\u0391\u03b9\u1100\u1161\u11a8가각\uff76\uff9e"),
            st.characters(min_codepoint=0x300, max_codepoint=0x36F),
            st.characters(min_codepoint=0x1F00, max_codepoint=0x1FFF),
        ),
        max_size=12,
    )
)
def test_marks_that_compose_across_characters_change_nothing(text: str) -> None:
    assert stream(text) == _reference(text)


@given(st.text(max_size=80))
def test_folding_twice_changes_nothing(text: str) -> None:
    assert stream(stream(text)) == stream(text)
    assert runs(runs(text)).split() == runs(text).split()


@given(st.text(max_size=80))
def test_runs_hold_the_letters_of_the_stream(text: str) -> None:
    assert runs(text).replace(" ", "") == stream(text)


@given(st.lists(st.text(max_size=20), max_size=6))
def test_folding_many_blocks_equals_folding_each(blocks: list[str]) -> None:
    assert block_streams(blocks) == [stream(block) for block in blocks]


@given(st.lists(st.text(), min_size=1))
def test_blocks_folded_together_read_as_folded_apart(blocks: list[str]) -> None:
    lines = fold_blocks(blocks).spaced.split("\n")

    assert [line.strip() for line in lines] == [runs(block).strip() for block in blocks]
    assert all(line == " " or line == f" {line.strip()} " for line in lines)
