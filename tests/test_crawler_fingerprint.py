"""Fingerprints: copies are found whatever surrounds them, strangers are not, and no text stays."""
# ruff: noqa: E501, SIM905 - word lists read better

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.reading.fingerprint import (
    MAX_BLOCKS,
    MAX_TAGS,
    FingerprintKey,
    block_print,
    block_tags,
    contain,
    fingerprint,
    level_of,
    overlap,
    page_hashes,
    stop_lines,
    thresholds,
)
from crawler.reading.normalise import letters

KEY = FingerprintKey(1, b"a secret of at least sixteen bytes")
OTHER = FingerprintKey(2, b"another secret of sixteen and more")
WORDS = (
    "flour water salt starter dough crumb crust oven steam proof levain fold shape bake cool slice rye spelt wheat bran "
    "sift rest night morning kitchen tray lid stone peel malt seed honey butter basket linen scale timer warm cold"
).split()


def _text(seed: int, words: int) -> str:
    chosen = random.Random(seed)
    return " ".join(chosen.choice(WORDS) + str(chosen.randrange(100)) for _ in range(words))


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        FingerprintKey(1, b"short")


def test_a_key_never_shows_its_secret() -> None:
    assert repr(KEY) == "FingerprintKey(epoch=1)"


def test_blocks_below_twenty_letters_have_no_tag() -> None:
    found = block_tags(["nineteen letters ab", "", "x" * 20, "X-" * 20], KEY)

    assert found[:2] == [b"", b""]
    assert len(found[2]) == 16
    assert found[2] == found[3]


def test_tags_depend_on_the_key() -> None:
    assert block_tags(["x" * 20], KEY) != block_tags(["x" * 20], OTHER)


def test_too_many_blocks_have_no_tag() -> None:
    found = block_tags(["x" * 20] * (MAX_BLOCKS + 3), KEY)

    assert len(found) == MAX_BLOCKS + 3
    assert found[-3:] == [b""] * 3


def test_an_unrelated_page_is_no_match() -> None:
    stored = fingerprint([_text(1, 200)], KEY)
    page = page_hashes([_text(2, 2_000)], [KEY])

    assert level_of(page.matched(1, stored.sketch), stored.k) is None


@pytest.mark.parametrize("words", [60, 200, 1_000])
def test_a_copy_in_a_much_longer_page_is_found_whole(words: int) -> None:
    text = _text(1, words)
    stored = fingerprint([text], KEY)
    page = page_hashes([_text(2, words * 10), text.upper(), _text(3, words * 10)], [OTHER, KEY])

    assert page.matched(1, stored.sketch) == len(stored.sketch) == stored.k
    assert page.matched(2, stored.sketch) == 0
    assert page.matched(3, stored.sketch) == 0


def test_a_copy_cut_into_other_blocks_is_found_whole() -> None:
    text = _text(1, 300)
    words = text.split()
    pieces = [" ".join(words[i : i + 3]) for i in range(0, 300, 3)]
    stored = fingerprint([text], KEY)

    assert page_hashes(pieces, [KEY]).matched(1, stored.sketch) == stored.k


def test_a_guide_in_many_short_lines_has_a_sketch() -> None:
    stored = fingerprint([f"{word} {number}" for number, word in enumerate(_text(1, 80).split())], KEY)

    assert len(stored.sketch) == stored.k >= 16
    assert stored.block_tags == ()


def test_an_edited_copy_is_strong() -> None:
    words = _text(1, 300).split()
    edited = [word if number % 10 else "changed" for number, word in enumerate(words)]
    stored = fingerprint([" ".join(words)], KEY)

    assert level_of(page_hashes([" ".join(edited)], [KEY]).matched(1, stored.sketch), stored.k) == "strong"


def test_han_text_is_hashed_in_short_shingles() -> None:
    text = "".join(chr(0x4E00 + (n * n * 7) % 3_000) for n in range(300))
    stored = fingerprint([text], KEY)

    assert stored.n == 5
    assert page_hashes(["rye bread " + text], [KEY]).matched(1, stored.sketch) == stored.k


def test_alphabets_and_hangul_are_hashed_in_long_shingles() -> None:
    assert fingerprint(["호밀빵을 굽는 방법과 반죽 " * 9], KEY).n == 12
    assert fingerprint(["ржаной хлеб " * 9], KEY).n == 12


@pytest.mark.parametrize("size", [0, 59])
def test_text_below_sixty_letters_has_no_sketch(size: int) -> None:
    assert fingerprint(["x" * size], KEY).sketch == ()


@pytest.mark.parametrize(("words", "k"), [(14, 16), (30, 48), (300, 64)])
def test_the_sketch_is_a_quarter_of_the_shingles_within_bounds(words: int, k: int) -> None:
    stored = fingerprint([_text(1, words)], KEY)

    assert stored.k == max(16, min(64, stored.shingles // 4))
    assert abs(stored.k - k) <= 12
    assert list(stored.sketch) == sorted(set(stored.sketch))
    assert all(0 <= value < 1 << 40 for value in stored.sketch)


def test_the_sites_frame_is_left_out_except_what_must_stay() -> None:
    frame, own = _text(1, 60), _text(2, 60)
    tags = frozenset(block_tags([frame], KEY))

    without = fingerprint([frame, own], KEY, frame_tags=tags)
    kept = fingerprint([frame, own], KEY, frame_tags=tags, must_keep={0})

    assert without.sketch == fingerprint([own], KEY).sketch
    assert without.block_tags == tuple(block_tags([own], KEY))
    assert without.frame_blocks == 1
    assert kept.block_tags == tuple(block_tags([frame, own], KEY))
    assert kept.frame_blocks == 0


def test_tags_are_capped_and_what_must_stay_stays() -> None:
    blocks = [f"{number} " + "x" * 20 for number in range(MAX_TAGS + 100)]
    last = len(blocks) - 1
    found = fingerprint(blocks, KEY, must_keep={last}).block_tags

    assert len(found) == MAX_TAGS
    assert found[-1] == block_tags([blocks[last]], KEY)[0]


def test_stock_phrases_are_left_out_of_sketches() -> None:
    stock = [line for line in stop_lines() if letters(line) >= 60]

    assert len(stock) > 20
    assert fingerprint(stock, KEY).sketch == ()


def test_stop_hashes_depend_on_the_key() -> None:
    assert not np.intersect1d(KEY.stop_hashes[12], OTHER.stop_hashes[12]).size
    assert KEY.stop_hashes[12].size > 1_000


def test_repeated_hashes_count_once() -> None:
    page = page_hashes(["flourwatersaltandrye"], [KEY]).by_epoch[1]

    assert contain([int(page[0])] * 9, page) == 1
    assert contain([], page) == 0
    assert contain([1], page_hashes([], [KEY]).by_epoch[1]) == 0


@pytest.mark.parametrize(
    ("matched", "k", "level"),
    [
        (4, 64, None),
        (5, 64, "lead"),
        (9, 64, "lead"),
        (10, 64, "strong"),
        (5, 9, "lead"),
        (9, 9, "lead"),
        (4, 4, None),
    ],
)
def test_levels(matched: int, k: int, level: str | None) -> None:
    assert level_of(matched, k) == level


def test_a_small_sketch_has_no_strong_level() -> None:
    assert thresholds(9) == {"lead": 5}
    assert thresholds(16) == {"strong": 10, "lead": 5}


def test_prints_tell_aliases_from_other_pages() -> None:
    mine = block_tags([_text(n, 20) for n in range(30)], KEY)
    other = block_tags([_text(n, 20) for n in range(100, 130)], KEY)

    assert overlap(block_print(mine), block_print([b"", *reversed(mine)])) == 1
    assert overlap(block_print(mine), block_print(other)) == 0
    assert overlap(block_print(mine[:4]), block_print(mine[:2])) == 0.5
    assert overlap(block_print([]), block_print([])) == 0
    assert len(block_print(mine)) == 64


@given(st.lists(st.text(max_size=80), max_size=8))
def test_any_page_has_a_fingerprint_that_it_contains(blocks: list[str]) -> None:
    stored = fingerprint(blocks, KEY)

    assert page_hashes(blocks, [KEY]).matched(1, stored.sketch) == len(stored.sketch)
    assert stored.block_tags == tuple(dict.fromkeys(tag for tag in block_tags(blocks, KEY) if tag))
