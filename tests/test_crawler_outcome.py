"""What one look at a page under notice means."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caselog.records.choices import Signal
from crawler.checks.likeness import is_explained, is_same_page, share_in
from crawler.checks.look import Connection, Dns, Look, Stored, failure_of
from crawler.checks.outcome import (
    WEAKEST_FIRST,
    blocks_shared,
    containment,
    decide_signal,
    needs_controls,
    needs_second_vantage,
    weaker,
)

URL = "http://bread.example/p/1"
ROOT = "http://bread.example/"
TEXT = range(1000, 1064)
BLOCKS = frozenset({b"one", b"two", b"three"})
STORED = Stored(url=URL, sketch=tuple(TEXT), block_tags=BLOCKS, rules=(1,), threshold=1.0)
FRAME = range(100)
ERROR = range(5000, 5080)


def seen(*parts: range, url: str = URL, tags: frozenset[bytes] = frozenset(), **more: Any) -> Look:
    """Make a look at a page that holds these shingles."""
    hashes = np.array(sorted({h for part in parts for h in part}), dtype=np.uint64)
    facts: dict[str, Any] = {"status": 200, "rules_score": 0.0, "is_empty": not len(hashes)} | more
    return Look(final_url=url, shingles=hashes, block_tags=tags, **facts)


def missing(*parts: range, **more: Any) -> list[Look]:
    return [seen(*parts, **{"url": f"http://bread.example/p/{name}"} | more) for name in ("aa", "bb")]


HOME = seen(FRAME, range(9000, 9200), url=ROOT)
LOST = missing(FRAME, ERROR)


def decide(look: Look, siblings: list[Look] | None = None, root: Look | None = HOME) -> Signal:
    return decide_signal(STORED, look, siblings=LOST if siblings is None else siblings, root=root)


# ---- we could not look -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dns", [Dns.NXDOMAIN, Dns.NODATA])
def test_a_name_that_is_gone_is_gone(dns: Dns) -> None:
    assert decide_signal(STORED, Look(dns=dns)) is Signal.GONE_DNS


def test_a_name_that_is_gone_does_not_take_the_text_with_it() -> None:
    alive = seen(TEXT, rules_score=1.0, tags=BLOCKS)
    signals = [
        decide_signal(STORED, Look(dns=Dns.NXDOMAIN), last_host=last) for last in (alive, seen(ERROR), None)
    ]

    assert signals == [Signal.DNS_GONE_HOST_ALIVE, Signal.GONE_DNS, Signal.GONE_DNS]


@pytest.mark.parametrize("dns", [Dns.SERVFAIL, Dns.TIMEOUT])
def test_a_resolver_in_trouble_says_nothing(dns: Dns) -> None:
    assert decide_signal(STORED, Look(dns=dns)) is Signal.TRANSIENT


@pytest.mark.parametrize(
    ("connection", "signal"),
    [
        (Connection.REFUSED, Signal.UNREACH),
        (Connection.RESET, Signal.UNREACH),
        (Connection.TIMEOUT, Signal.UNREACH),
        (Connection.TLS, Signal.UNREACH),
        (Connection.LOOP, Signal.UNREACH),
        (Connection.LOCKED, Signal.BLOCKED),
        (Connection.OTHER, Signal.TRANSIENT),
    ],
)
def test_a_server_that_does_not_answer(connection: Connection, signal: Signal) -> None:
    assert decide_signal(STORED, Look(connection=connection)) is signal


def test_a_loop_that_sets_a_cookie_is_a_wall() -> None:
    assert decide_signal(STORED, Look(connection=Connection.LOOP, sets_cookie=True)) is Signal.BLOCKED


@pytest.mark.parametrize(
    ("refused", "more", "signal"),
    [
        ("media_type", {}, Signal.CHANGED),
        ("media_type", {"status": 404}, Signal.GONE_PAGE),
        ("binary", {"status": 404}, Signal.CHANGED),
        ("too_large", {}, Signal.CHANGED),
        ("media_type", {"status": 403}, Signal.BLOCKED),
        ("media_type", {"is_challenge": True}, Signal.BLOCKED),
        ("media_type", {"status": 503}, Signal.TRANSIENT),
        ("media_type", {"status": 522}, Signal.UNREACH),
        ("private_address", {"status": None}, Signal.UNREACH),
    ],
)
def test_an_answer_that_may_not_be_read(refused: str, more: dict[str, Any], signal: Signal) -> None:
    assert decide_signal(STORED, Look(**{"refused": refused, "status": 200} | more)) is signal


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("dns_nxdomain", (Dns.NXDOMAIN, Connection.OTHER)),
        ("dns_onion", (Dns.SERVFAIL, Connection.OTHER)),
        ("connect_timeout", (Dns.OK, Connection.TIMEOUT)),
        ("onion_not_found", (Dns.OK, Connection.TIMEOUT)),
        ("truncated", (Dns.OK, Connection.OTHER)),
    ],
)
def test_the_transports_codes_are_understood(code: str, expected: tuple[Dns, Connection]) -> None:
    assert failure_of(code) == expected


# ---- the text stands ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 404, 410, 403, 429, 503])
def test_half_of_the_text_is_the_text_whatever_the_status(status: int) -> None:
    look = seen(range(1000, 1032), FRAME, status=status, rules_score=1.0)

    assert decide(look) is Signal.PRESENT
    assert not needs_controls(STORED, look)


def test_the_whole_text_needs_no_rule() -> None:
    assert decide(seen(TEXT, tags=BLOCKS)) is Signal.PRESENT


def test_rules_no_longer_known_do_not_speak() -> None:
    assert decide(seen(range(1000, 1040), rules_score=None)) is Signal.PRESENT


def test_most_of_a_text_that_no_rule_matches_any_more_goes_to_a_person() -> None:
    assert decide(seen(range(1000, 1050), FRAME)) is Signal.CHANGED


@pytest.mark.parametrize(("status", "signal"), [(200, Signal.GONE_SOFT), (404, Signal.GONE_PAGE)])
def test_a_frame_that_slipped_into_the_evidence_is_no_text(status: int, signal: Signal) -> None:
    frame = range(1000, 1050)
    siblings = missing(frame, ERROR, status=status)

    assert decide(seen(frame, ERROR, status=status), siblings, seen(frame, range(20), url=ROOT)) is signal


def test_a_wall_over_a_frame_in_the_evidence_is_a_wall() -> None:
    frame = range(1000, 1050)

    assert decide(seen(frame, ERROR, status=403), missing(frame, ERROR), HOME) is Signal.BLOCKED


def test_a_root_in_trouble_makes_nothing_uniform() -> None:
    assert decide(seen(ERROR), missing(ERROR), seen(ERROR, url=ROOT, status=503)) is Signal.GONE_SOFT


def test_a_text_cut_down_stands_while_a_rule_and_a_block_do() -> None:
    cut = seen(range(1000, 1020), rules_score=1.0, tags=frozenset({b"two"}))

    assert decide(cut) is Signal.PRESENT


def test_a_block_of_the_frame_does_not_make_an_echoed_word_the_text() -> None:
    siblings = missing(FRAME, ERROR, tags=frozenset({b"two"}), rules_score=1.0)

    assert decide(seen(FRAME, ERROR, rules_score=1.0, tags=frozenset({b"two"})), siblings) is Signal.GONE_SOFT


def test_a_rule_alone_is_not_the_text() -> None:
    assert decide(seen(FRAME, ERROR, rules_score=9.0)) is Signal.GONE_SOFT


def test_a_fifth_of_the_text_is_no_error_page() -> None:
    rest = range(1000, 1014)

    assert decide(seen(rest, FRAME, ERROR)) is Signal.CHANGED
    assert decide(seen(rest, FRAME, ERROR, status=404)) is Signal.CHANGED


def test_short_evidence_is_measured_by_its_blocks() -> None:
    stored = Stored(url=URL, block_tags=frozenset({b"a", b"b"}), rules=(1,), threshold=1.0)
    half = seen(range(5), tags=frozenset({b"a"}), rules_score=1.0)

    assert containment(stored, half) == 0.5
    assert blocks_shared(stored, half) == 1
    assert decide_signal(stored, half) is Signal.PRESENT


@pytest.mark.parametrize(("score", "signal"), [(1.0, Signal.PRESENT), (0.5, Signal.GONE_SOFT)])
def test_evidence_too_short_for_hashes_stands_with_its_rules(score: float, signal: Signal) -> None:
    stored = Stored(url=URL, rules=(1,), threshold=1.0)
    look = seen(FRAME, ERROR, rules_score=score)

    assert containment(stored, look) is None
    assert decide_signal(stored, look, siblings=LOST, root=HOME) is signal


# ---- walls -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 402, 403, 407, 429, 451])
def test_a_wall_is_no_removal(status: int) -> None:
    assert decide(seen(ERROR, status=status)) is Signal.BLOCKED


@pytest.mark.parametrize("wall", ["is_challenge", "has_password_field", "is_shell"])
def test_a_wall_may_come_with_200(wall: Any) -> None:
    look = replace(seen(FRAME, ERROR), **{wall: True})

    assert decide(look) is Signal.BLOCKED
    assert not needs_controls(STORED, look)


@pytest.mark.parametrize(
    ("root", "signal"),
    [
        (seen(FRAME, range(9000, 9300), url=ROOT, has_password_field=True), Signal.GONE_PAGE),
        (seen(FRAME, ERROR, url=ROOT, has_password_field=True), Signal.BLOCKED),
        (HOME, Signal.BLOCKED),
        (None, Signal.BLOCKED),
    ],
)
def test_a_404_with_a_log_in_box_is_gone_only_if_the_open_root_has_the_box_too(
    root: Look | None, signal: Signal
) -> None:
    assert decide(seen(FRAME, ERROR, status=404, has_password_field=True), root=root) is signal


def test_a_404_script_page_is_a_wall_where_the_root_is_one() -> None:
    look = seen(range(30), status=404, is_shell=True)

    assert decide(look, root=seen(range(30), url=ROOT, is_shell=True)) is Signal.BLOCKED
    assert decide(look) is Signal.GONE_PAGE


# ---- by status ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "signal"),
    [
        (404, Signal.GONE_PAGE),
        (410, Signal.GONE_PAGE),
        (500, Signal.TRANSIENT),
        (503, Signal.TRANSIENT),
        (400, Signal.TRANSIENT),
        (304, Signal.TRANSIENT),
        (None, Signal.TRANSIENT),
        (521, Signal.UNREACH),
        (522, Signal.UNREACH),
        (523, Signal.UNREACH),
        (530, Signal.UNREACH),
    ],
)
def test_a_status_without_the_text(status: int | None, signal: Signal) -> None:
    look = seen(ERROR, status=status)

    assert decide_signal(STORED, look) is signal
    assert not needs_controls(STORED, look)


# ---- like missing pages ------------------------------------------------------------------------------------


def test_only_an_open_question_asks_for_controls() -> None:
    assert needs_controls(STORED, seen(FRAME, ERROR))


def test_what_missing_pages_bring_is_gone() -> None:
    assert decide(seen(FRAME, ERROR)) is Signal.GONE_SOFT
    assert decide(seen(FRAME, ERROR), missing(FRAME, ERROR, status=404)) is Signal.GONE_SOFT


def test_what_the_root_brings_too_is_uniform() -> None:
    assert decide(seen(ERROR), missing(ERROR), seen(ERROR, url=ROOT)) is Signal.UNIFORM


def test_a_page_unlike_missing_ones_goes_to_a_person() -> None:
    assert decide(seen(range(7000, 7200))) is Signal.CHANGED


def test_a_new_text_inside_a_large_frame_is_no_error_page() -> None:
    frame = range(2000, 3000)
    root = seen(frame, range(50), url=ROOT)

    assert decide(seen(frame, range(7000, 7200)), missing(frame, ERROR), root) is Signal.CHANGED


@pytest.mark.parametrize("root", [HOME, None])
def test_the_same_end_address_as_missing_pages_is_gone(root: Look | None) -> None:
    end = "http://bread.example/lost"
    look = seen(range(50), url=end, redirects=1)

    assert decide(look, missing(range(60, 90), url=end, redirects=1), root) is Signal.GONE_SOFT


def test_sent_home_alone_is_gone() -> None:
    home = seen(FRAME, range(9000, 9200), url=ROOT, redirects=1)

    assert decide(home, missing(ERROR, status=404)) is Signal.GONE_SOFT


def test_a_gate_that_wants_a_cookie_goes_to_a_person() -> None:
    gate = "http://bread.example/gate"
    look = seen(range(50), url=gate, redirects=1, sets_cookie=True)
    siblings = missing(range(50), url=gate, redirects=1, sets_cookie=True)
    root_gated = seen(range(50), url=gate, redirects=1, sets_cookie=True)
    root_with_cookies = seen(FRAME, range(9000, 9200), url=ROOT, sets_cookie=True)

    signals = [decide(look, siblings, root) for root in (root_gated, HOME, root_with_cookies)]
    assert signals == [Signal.CHANGED, Signal.CHANGED, Signal.GONE_SOFT]


def test_an_empty_page_is_gone_only_where_missing_ones_are_empty_too() -> None:
    assert decide(seen()) is Signal.CHANGED
    assert decide(seen(), missing()) is Signal.GONE_SOFT
    assert decide(seen(), missing(), seen(url=ROOT)) is Signal.UNIFORM


def test_controls_that_fail_settle_nothing() -> None:
    silent = [Look(connection=Connection.TIMEOUT), LOST[0]]
    walled = missing(FRAME, ERROR, has_password_field=True)

    assert decide(seen(FRAME, ERROR), silent) is Signal.TRANSIENT
    assert decide(seen(FRAME, ERROR), walled) is Signal.CHANGED
    assert decide(seen(FRAME, ERROR), []) is Signal.CHANGED


def test_missing_pages_that_differ_from_each_other_still_explain() -> None:
    """They repeat the address and the time, so little but their fixed words is shared."""
    fixed = range(5000, 5060)
    siblings = [seen(fixed, range(n, n + 50), url=f"{ROOT}p/{n}") for n in (20000, 30000)]
    look = seen(fixed, range(40000, 40050))

    assert decide(look, siblings) is Signal.GONE_SOFT


def test_uniform_pages_that_repeat_the_address_are_uniform() -> None:
    """Beyond the root's text they share nothing; they depart from it no further than missing pages do."""
    siblings = [seen(ERROR, range(n, n + 20), url=f"{ROOT}p/{n}") for n in (20000, 30000)]
    root = seen(ERROR, range(60000, 60020), url=ROOT)

    assert decide(seen(ERROR, range(40000, 40020)), siblings, root) is Signal.UNIFORM
    assert decide(seen(ERROR, range(40000, 40050)), siblings, root) is Signal.CHANGED


# ---- two vantages ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "second"), list(product(Signal, Signal)))
def test_two_vantages_say_the_weaker_thing(first: Signal, second: Signal) -> None:
    both = weaker(first, second)

    assert both is weaker(second, first)
    assert both in {first, second}
    assert (both is Signal.PRESENT) is (Signal.PRESENT in {first, second})


def test_every_signal_has_its_strength() -> None:
    assert sorted(WEAKEST_FIRST) == sorted(Signal)
    assert [signal for signal in Signal if not needs_second_vantage(signal)] == [Signal.PRESENT]


# ---- anything ----------------------------------------------------------------------------------------------

HASHES = st.lists(st.integers(0, 60), max_size=60).map(
    lambda some: np.unique(np.array(some, dtype=np.uint64))
)
TAGS = st.frozensets(st.sampled_from([b"one", b"two", b"three", b"four"]))
LOOKS = st.builds(
    Look,
    dns=st.sampled_from(Dns),
    connection=st.sampled_from(Connection),
    status=st.sampled_from([None, 200, 204, 301, 403, 404, 500, 522]),
    final_url=st.sampled_from([URL, ROOT, "http://bread.example/x"]),
    redirects=st.integers(0, 2),
    refused=st.sampled_from([None, None, None, "binary"]),
    is_challenge=st.booleans(),
    has_password_field=st.booleans(),
    is_shell=st.booleans(),
    is_empty=st.booleans(),
    sets_cookie=st.booleans(),
    shingles=HASHES,
    block_tags=TAGS,
    rules_score=st.sampled_from([None, 0.0, 1.0]),
)
EVIDENCE = st.builds(
    Stored,
    url=st.just(URL),
    sketch=st.lists(st.integers(0, 60), max_size=20, unique=True).map(lambda some: tuple(sorted(some))),
    block_tags=TAGS,
    rules=st.sampled_from([(), (1,)]),
    threshold=st.just(1.0),
)
GONE = {Signal.GONE_PAGE, Signal.GONE_SOFT, Signal.UNIFORM}


@given(EVIDENCE, LOOKS, st.lists(LOOKS, max_size=2), st.none() | LOOKS)
def test_any_look_gives_a_signal_and_walls_never_absence(
    stored: Stored, look: Look, siblings: list[Look], root: Look | None
) -> None:
    signal = decide_signal(stored, look, siblings=siblings, root=root)

    share = containment(stored, look)
    assert share is None or 0 <= share <= 1
    if look.is_challenge or look.status == 403:
        assert signal not in GONE or not look.is_answered


@given(EVIDENCE, LOOKS, st.lists(LOOKS, max_size=2), st.none() | LOOKS)
def test_controls_that_were_not_needed_change_nothing(
    stored: Stored, look: Look, siblings: list[Look], root: Look | None
) -> None:
    if look.dns is Dns.OK and not needs_controls(stored, look):
        assert decide_signal(stored, look) is decide_signal(stored, look, siblings=siblings, root=root)


@given(HASHES, HASHES, HASHES, st.none() | HASHES)
def test_a_page_is_always_like_itself(
    page: np.ndarray[Any, Any], other: np.ndarray[Any, Any], third: np.ndarray[Any, Any], root: Any
) -> None:
    assert share_in(page, page) == (1.0 if len(page) else 0.0)
    assert is_same_page(page, page) == bool(len(page))
    assert is_explained(page, page, page, root) == bool(len(page))
    assert is_explained(page, other, third, root) in {True, False}
