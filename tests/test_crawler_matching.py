"""Matching: terms are found in any disguise, whole words only, and nothing but numbers comes out."""
# ruff: noqa: E501, RUF001 - look-alikes and tables

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caselog.errors import IntakeError
from crawler.reading.matching import Match, Matcher


@dataclass(frozen=True)
class Rule:
    number: int
    term: str
    weight: float = 1.0
    kind: str = "word"


def _rules(*terms: str) -> list[Rule]:
    return [Rule(number, term) for number, term in enumerate(terms, 1)]


@pytest.mark.parametrize("term", ["", "  ", "...", "\u200b", "—"])
def test_a_term_without_letters_is_rejected_with_its_number(term: str) -> None:
    with pytest.raises(IntakeError, match="Rule 7 "):
        Matcher([Rule(7, term)])


@pytest.mark.parametrize("weight", [float("nan"), float("inf")])
def test_a_weight_that_is_no_number_is_rejected(weight: float) -> None:
    with pytest.raises(IntakeError, match="rule 3 "):
        Matcher([Rule(3, "rye", weight)])


def test_an_error_never_quotes_the_term() -> None:
    with pytest.raises(IntakeError) as caught:
        Matcher([Rule(3, "rye", float("nan"))])

    assert "rye" not in str(caught.value)


@pytest.mark.parametrize(
    "block", ["sourdoughs", "my sourdoughstarter", "asourdough", "sour dough", "sourdough2", "", "flour"]
)
def test_part_of_a_longer_word_is_no_match(block: str) -> None:
    assert Matcher(_rules("sourdough")).match([block]) == Match(rules=(), score=0, block_indexes=())


@pytest.mark.parametrize(
    "block",
    ["Sourdough", "SOURDOUGH!", "a (sourdough) b", "s0urd0ugh", "sоurdоugh", "sour\u00addough", "so\u200burdough",
     "\uff53ourdough", "sóürdough", "-sourdough-", "rye,sourdough;salt"],
)  # fmt: skip
def test_a_word_is_found_in_disguise(block: str) -> None:
    assert Matcher(_rules("sourdough")).match(["rye", block]) == Match(
        rules=(1,), score=1, block_indexes=(1,)
    )


def test_a_phrase_does_not_cross_blocks() -> None:
    matcher = Matcher(_rules("rye starter"))

    assert matcher.match(["rye", "starter"]).rules == ()
    assert matcher.match(["my rye - starter"]).rules == (1,)


def test_a_line_feed_in_a_block_does_not_shift_the_blocks() -> None:
    assert Matcher(_rules("salt")).match(["rye\nbread", "flour", "salt"]).block_indexes == (2,)


def test_neighbouring_matches_share_their_separator() -> None:
    assert Matcher(_rules("rye", "salt", "rye salt")).match(["rye salt"]).rules == (1, 2, 3)


def test_each_term_counts_once() -> None:
    matcher = Matcher([Rule(1, "rye", 0.4), Rule(2, "salt", 0.3)])

    found = matcher.match(["rye rye rye", "rye", "salt"])

    assert found == Match(rules=(1, 2), score=0.7, block_indexes=(0, 1, 2))


def test_terms_of_one_form_count_once_with_the_larger_weight() -> None:
    matcher = Matcher([Rule(5, "Rye", 0.2), Rule(2, "rye", 0.9), Rule(9, "RYE!", 0.1)])

    assert matcher.match(["rye"]) == Match(rules=(2, 5, 9), score=0.9, block_indexes=(0,))


@pytest.mark.parametrize(
    ("term", "block"),
    [
        ("酵母", "天然酵母面包"),
        ("酵母", "天然酵 母面包"),
        ("パン種", "自家製ﾊﾟﾝ種です"),
        ("ขนมปัง", "ทำขนมปังเอง"),
        ("ເຂົ້າຈີ່", "ຂ້ອຍມັກເຂົ້າຈີ່ຫຼາຍ"),
        ("នំបុ័ង", "ខ្ញុំធ្វើនំបុ័ងខ្លួនឯង"),
        ("ပေါင်မုန့်", "ကျွန်တော်ပေါင်မုန့်လုပ်တယ်"),
    ],
)
def test_a_term_in_a_script_without_spaces_matches_anywhere(term: str, block: str) -> None:
    assert Matcher(_rules(term)).match(["rye", block]).block_indexes == (1,)


def test_hangul_is_written_with_spaces() -> None:
    matcher = Matcher(_rules("빵"))

    assert matcher.match(["호밀 빵"]).rules == (1,)
    assert matcher.match(["호밀빵집"]).rules == ()


def test_no_rules_and_no_blocks_match_nothing() -> None:
    assert Matcher([]).match(["rye"]) == Match(rules=(), score=0, block_indexes=())
    assert Matcher(_rules("rye")).match([]) == Match(rules=(), score=0, block_indexes=())


NOISE = st.text(alphabet="\u200b\u200d\u00ad\u0301\u0308\u2060", max_size=2)
TWINS = {
    "a": "aАａ4",
    "e": "eеｅ3é",
    "o": "oо0Ｏ",
    "i": "iіI1l",
    "s": "sѕ5S",
    "t": "tT7ｔ",
    "p": "pрP",
    "c": "cсС",
}


@given(st.data(), st.sampled_from(["pasta", "oatcake", "tapioca", "pesto sauce"]))
def test_any_disguise_of_a_term_is_found(data: st.DataObject, term: str) -> None:
    disguised = "".join(
        data.draw(st.sampled_from(TWINS.get(char, char + char.upper()))) + data.draw(NOISE) for char in term
    )

    assert Matcher(_rules(term)).match([f"we bake, {disguised}. today"]).rules == (1,)


@given(st.text(max_size=30), st.text(max_size=60))
def test_a_term_is_always_found_in_itself(term: str, other: str) -> None:
    try:
        matcher = Matcher(_rules(term))
    except IntakeError:
        return

    assert matcher.match([other, f" {term} "]).block_indexes[-1:] == (1,)
