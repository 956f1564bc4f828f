"""Whether the rules end right on pages that are taken down, walled, moved or disturbed, over real HTTP."""

from __future__ import annotations

import http.client
import random
import ssl
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import pytest

from caselog.records.choices import Presence, Signal
from crawler.checks.look import Connection, Dns, Look, Stored
from crawler.checks.outcome import (
    decide_signal,
    needs_controls,
    needs_second_vantage,
    weaker,
)
from crawler.checks.removal import State, Step, next_state
from crawler.reading.address import sibling_probe
from crawler.reading.fingerprint import FingerprintKey, block_tags, fingerprint, page_hashes
from crawler.reading.matching import Matcher
from crawler.reading.page import read_page
from tests.servers.removal_hard import hard
from tests.servers.removal_scenarios import REMOVED, known, targets
from tests.servers.removal_unseen import unseen
from tests.servers.removal_web import EVENT_H, HOME_IP, PAGE, TERM, removal_web

if TYPE_CHECKING:
    from tests.servers.removal_web import RemovalWeb, Scenario

START = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 21
KEY = FingerprintKey(1, b"sixteen or more bytes of a secret")
HOPS = 5
SHELL_LETTERS = 200


@dataclass(frozen=True)
class _Rule:
    number: int = 1
    term: str = TERM
    weight: float = 1.0


MATCHER = Matcher([_Rule()])


@dataclass
class Outcome:
    """How one scenario went."""

    verdict: str = ""
    false_claims: set[Presence] = field(default_factory=set)
    steps: list[tuple[float, Signal, Presence]] = field(default_factory=list)
    first_claim: State | None = None
    requests: int = 0
    checks: int = 0


# ---- looking -----------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _read(body: str, url: str) -> Look:
    page = read_page(body, url, "text/html")
    letters = sum(map(len, page.blocks))
    return Look(
        final_url=url,
        has_password_field=page.has_password_field,
        is_shell=page.is_shell or (page.refresh is not None and letters < SHELL_LETTERS),
        is_empty=not page.blocks,
        shingles=page_hashes(page.blocks, [KEY]).by_epoch[1],
        block_tags=frozenset(tag for tag in block_tags(page.blocks, KEY) if tag),
        rules_score=MATCHER.match(page.blocks).score,
    )


def _ask(web: RemovalWeb, url: str, ip: str, region: str) -> tuple[http.client.HTTPResponse, str]:
    parts = urlsplit(url)
    port = web.down_port if ip == "192.0.2.255" else web.port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=0.05 if web.time_h > 0 else 5)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={"Host": parts.netloc, "X-Region": region})
        response = connection.getresponse()
        return response, response.read().decode()
    finally:
        connection.close()


def _failed(error: OSError) -> Connection:
    if isinstance(error, TimeoutError):
        return Connection.TIMEOUT
    if isinstance(error, ssl.SSLError):
        return Connection.TLS
    return Connection.REFUSED if isinstance(error, ConnectionRefusedError) else Connection.RESET


def look_at(web: RemovalWeb, url: str, region: str, *, ip: str | None = None) -> tuple[Look, str]:
    """Fetch with redirects; returns the look and the address that answered."""
    sets_cookie = False
    for hop in range(HOPS + 1):
        scenario = web.scenarios[urlsplit(url).netloc]
        word, at = ("ok", ip) if ip else scenario.resolve(web.time_h, region)
        if word == "private_address":
            return Look(refused="private_address"), ""
        if word != "ok":
            return Look(dns=Dns(word.removesuffix("-alive")), connection=Connection.OTHER), ""
        try:
            response, body = _ask(web, url, str(at), region)
        except OSError as error:
            return Look(connection=_failed(error), redirects=hop), str(at)
        sets_cookie |= "Set-Cookie" in response.headers
        if response.status in {301, 302, 303, 307, 308}:
            url = urljoin(url, response.headers["Location"])
            continue
        seen: dict[str, Any] = {"status": response.status, "redirects": hop, "sets_cookie": sets_cookie}
        if response.headers.get_content_maintype() != "text":
            return Look(refused="media_type", final_url=url, **seen), str(at)
        refresh = "Refresh" in response.headers and len(body) < 2000
        read = _read(body, url)
        is_challenge = "cf-mitigated" in response.headers
        return replace(read, is_challenge=is_challenge, is_shell=read.is_shell or refresh, **seen), str(at)
    return Look(connection=Connection.LOOP, redirects=HOPS, sets_cookie=sets_cookie), str(at)


def _signal(web: RemovalWeb, scenario: Scenario, stored: Stored, region: str) -> tuple[Signal, bool]:
    """Take one whole view from one vantage: the signal, and whether the text stands elsewhere."""
    look, ip = look_at(web, stored.url, region)
    is_elsewhere = ip != HOME_IP or urlsplit(look.final_url).netloc != scenario.host
    last_host = None
    if scenario.resolve(web.time_h, region)[0] == "nxdomain-alive":
        last_host, _ = look_at(web, stored.url, region, ip=HOME_IP)
    if not needs_controls(stored, look):
        return decide_signal(stored, look, last_host=last_host), is_elsewhere
    siblings = [look_at(web, sibling_probe(stored.url, _token(web)), region)[0] for _ in range(2)]
    root, _ = look_at(web, f"http://{scenario.host}/", region)
    return decide_signal(stored, look, siblings=siblings, root=root), is_elsewhere


def _token(web: RemovalWeb) -> str:
    return f"{random.Random(web.requests).getrandbits(48):012x}"


def _record(web: RemovalWeb, scenario: Scenario) -> Stored:
    """Record the evidence as a crawl does, with the site's frame left out."""
    url = f"http://{scenario.host}{PAGE}"
    frame: frozenset[bytes] = frozenset()
    if scenario.knows_frame:
        sibling, _ = look_at(web, sibling_probe(url, _token(web)), "own")
        root, _ = look_at(web, f"http://{scenario.host}/", "own")
        frame = sibling.block_tags | root.block_tags
    _, body = _ask(web, url, HOME_IP, "own")
    blocks = read_page(body, url, "text/html").blocks
    match = MATCHER.match(blocks)
    print_ = fingerprint(blocks, KEY, frame_tags=frame, must_keep=frozenset(match.block_indexes))
    return Stored(
        url=url,
        sketch=print_.sketch,
        block_tags=frozenset(print_.block_tags),
        rules=match.rules,
        threshold=1.0,
    )


# ---- three weeks -------------------------------------------------------------------------------------------


def run(web: RemovalWeb, scenario: Scenario, *, has_second: bool, days: int) -> Outcome:
    """Watch one page for some days of the web's clock."""
    web.time_h = 0.0
    stored = _record(web, scenario)
    history: list[Step] = []
    outcome = Outcome()
    state: State | None = None
    jitters = random.Random(scenario.name)
    first_request = web.requests
    while web.time_h <= days * 24:
        signal, is_elsewhere = _signal(web, scenario, stored, "own")
        if has_second and needs_second_vantage(signal):
            second, other_place = _signal(web, scenario, stored, "second")
            if second is Signal.PRESENT:
                is_elsewhere = other_place
            signal = weaker(signal, second)
        at = START + timedelta(hours=web.time_h)
        step = Step(at=at, signal=signal, is_elsewhere=is_elsewhere, has_second_vantage=has_second)
        jitter = jitters.uniform(-0.2, 0.2)
        state = next_state(history, step, recorded_at=START, jitter=jitter)
        history.append(step)
        _note(outcome, scenario, web.time_h, signal, state)
        if state.due_at is None:
            break
        web.time_h = (state.due_at - START) / timedelta(hours=1)
    outcome.verdict = _verdict(state) if state else ""
    outcome.requests = web.requests - first_request
    outcome.checks = len(history)
    return outcome


def _note(outcome: Outcome, scenario: Scenario, time_h: float, signal: Signal, state: State) -> None:
    outcome.steps.append((round(time_h, 1), signal, state.state))
    if not _verdict(state).startswith(REMOVED):
        return
    if scenario.is_present(time_h):
        outcome.false_claims.add(state.state)
    outcome.first_claim = outcome.first_claim or state


def _verdict(state: State) -> str:
    if state.state in {Presence.REMOVED_PROVISIONAL, Presence.REMOVED_CONFIRMED, Presence.CLOSED}:
        return REMOVED
    return state.state.value + ("+MOVED" if state.moved else "")


def _run_all(
    scenarios: list[Scenario], *, has_second: bool, days: int = DAYS
) -> dict[str, tuple[Scenario, Outcome]]:
    hosts = {scenario.host: scenario for scenario in [*scenarios, *targets()]}
    with removal_web(hosts) as web:
        return {s.name: (s, run(web, s, has_second=has_second, days=days)) for s in scenarios}


Results = dict[str, tuple["Scenario", Outcome]]


@pytest.fixture(scope="module")
def known_results() -> Results:
    return _run_all(known(), has_second=True)


@pytest.fixture(scope="module")
def unseen_results() -> Results:
    return _run_all(unseen(), has_second=True, days=14)


@pytest.fixture(scope="module")
def hard_results() -> Results:
    return _run_all(hard(), has_second=True, days=14)


@pytest.fixture(scope="module")
def alone_results() -> Results:
    alone = [s for s in known() if s.needs_second or s.name in {"s02", "s14", "s39", "s44"}]
    return _run_all(alone, has_second=False)


def _wrong(results: Results) -> dict[str, str]:
    return {name: o.verdict for name, (s, o) in results.items() if o.verdict not in s.verdicts}


def _false(results: Results, state: Presence) -> set[str]:
    return {name for name, (_, o) in results.items() if state in o.false_claims}


def test_the_known_cases_end_right(known_results: Results) -> None:
    assert _wrong(known_results) == {}


def test_only_a_cloak_gets_a_false_removal(known_results: Results) -> None:
    """A server that answers 404 to us alone cannot be told from one that answers it to all."""
    assert _false(known_results, Presence.REMOVED_PROVISIONAL) <= {"s37"}


def test_no_known_case_gets_a_false_confirmation(known_results: Results) -> None:
    assert _false(known_results, Presence.REMOVED_CONFIRMED) <= {"s37"}


def test_the_interval_holds_the_time_of_removal(known_results: Results, unseen_results: Results) -> None:
    event = START + timedelta(hours=EVENT_H)
    claims = {
        name: o.first_claim
        for name, (s, o) in (known_results | unseen_results).items()
        if o.first_claim and REMOVED in s.verdicts
    }
    missed = [
        name
        for name, claim in claims.items()
        if claim.first_absent is None or not claim.last_present <= event <= claim.first_absent
    ]

    assert len(claims) > 20
    assert missed == []


def test_checks_cost_few_requests(known_results: Results) -> None:
    checks = sum(o.checks for _, o in known_results.values())
    requests = sum(o.requests for _, o in known_results.values())

    assert requests / checks <= 3


def test_cases_that_the_rules_have_not_seen_end_right(unseen_results: Results) -> None:
    assert _wrong(unseen_results) == {}


def test_no_unseen_case_gets_a_false_confirmation(unseen_results: Results) -> None:
    assert _false(unseen_results, Presence.REMOVED_CONFIRMED) == set()


def test_the_hard_cases_end_right_but_for_three(hard_results: Results) -> None:
    """What cannot be told apart by hashes and headers goes wrong here, and is known to.

    A short error page with a script looks like a page that a script would bring; a 404 that takes turns with
    429 is a wall half of the time; a site that shuts out whole countries, ours and the second vantage's, says
    the same as one that was suspended.
    """
    expected = {
        "h01-soft-with-counter-script": "BLOCKED",
        "h03-404-or-429-by-turns": "BLOCKED",
        "h18-abroad-blocked": REMOVED,
    }

    assert _wrong(hard_results) == expected
    assert _false(hard_results, Presence.REMOVED_PROVISIONAL) == {"h18-abroad-blocked"}


def test_alone_we_never_take_silence_for_a_removal(alone_results: Results) -> None:
    expected = {"s11": "UNREACHABLE", "s25": "UNREACHABLE", "s39": "UNREACHABLE", "s44": "UNREACHABLE"}

    assert {name: alone_results[name][1].verdict for name in expected} == expected


def test_alone_what_the_server_itself_says_is_believed(alone_results: Results) -> None:
    assert {name: alone_results[name][1].verdict for name in ("s02", "s14")} == {
        "s02": REMOVED,
        "s14": REMOVED,
    }
