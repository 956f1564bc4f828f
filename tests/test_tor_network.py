"""Onion services on a private Tor network: crawled, recorded, checked, taken down, and gone only later."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from stem.control import EventType

from caselog.records.choices import Origin
from caselog.records.leads import Lead
from caselog.records.pages import Check, Evidence
from crawler.checks.watched import due_evidence
from crawler.run import run_checks
from crawler.transport.tor import is_test_network, tor_state
from tests.crawl_samples import TERM, crawl, html, page_rows, records, redirect, work_at
from tests.servers.dns import DnsServer
from tests.servers.socks import SocksServer
from tests.servers.tornet import TorNetwork, programs
from tests.servers.web import WebServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.desk_calls import Desk

pytestmark = [pytest.mark.needs_tor, pytest.mark.slow]


@pytest.fixture(scope="session")
def network() -> Iterator[TorNetwork]:
    """Give a running private Tor network."""
    if programs() is None:
        if os.environ.get("LEADLINE_ALLOW_NO_SKIP") == "1":
            pytest.fail("tor is not installed, and no test may be skipped here")
        pytest.skip("needs tor and tor-gencert")
    with TorNetwork() as running:
        yield running


@contextmanager
def tor_settings(network: TorNetwork) -> Iterator[None]:
    """Let the settings name this Tor."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"ENABLED": "true", "SOCKS": network.socks, "CONTROL": network.control}.items():
            patch.setenv(f"LEADLINE_NETWORK__TOR__{name}", value)
        yield


def bakery(seed: str) -> WebServer:
    """Give a site of four pages, one of which the rules match; it is the same as no other site."""
    routes = {
        "/": html((seed, 0), links=("/loaf/1", "/loaf/2")),
        "/loaf/1": html((seed, 1), links=("/loaf/3",)),
        "/loaf/2": html((seed, 2), term=TERM),
        "/loaf/3": html((seed, 3)),
    }
    return WebServer(routes)


@dataclass
class Crawled:
    """Two onion services after a crawl by the command."""

    network: TorNetwork
    work: Desk
    names: DnsServer
    onions: list[str]
    summary: dict[str, float]
    circuits: list[set[str]] = field(default_factory=list)


@pytest.fixture(scope="module")
def crawled(network: TorNetwork, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crawled]:
    """Crawl two onion services in a practice workspace."""
    folder = tmp_path_factory.mktemp("onions")
    with DnsServer() as names, bakery("rye") as rye, bakery("oat") as oat, tor_settings(network):
        onions = [network.onion(server.port) for server in (rye, oat)]
        work = work_at(folder, resolver=names.address, per_host=1)
        assert work.add_leads(f"http://{onions[0]}/", f"http://{onions[1].upper()}./").code == 0
        summary = crawl(work)
        circuits = [network.circuits_of(onion) for onion in onions]
        yield Crawled(network, work, names, onions, summary, circuits)


def test_all_pages_of_two_onion_services_are_recorded_via_tor(crawled: Crawled) -> None:
    pages = page_rows(crawled.work)

    assert sorted(page.url.split("/")[2] for page in pages) == sorted(crawled.onions * 4)
    assert {(page.outcome.value, page.via, page.peer_ip) for page in pages} == {("text", "tor", None)}
    assert not any(page.dns_answers for page in pages)


def test_evidence_is_recorded_from_both(crawled: Crawled) -> None:
    assert len(records(crawled.work, Evidence)) == crawled.summary["evidence"] == 2


def test_no_onion_was_asked_of_dns(crawled: Crawled) -> None:
    assert not [name for name, _ in crawled.names.queries if name.endswith("onion")]


def test_the_two_onions_use_different_circuits(crawled: Crawled) -> None:
    first, second = crawled.circuits

    assert first
    assert second
    assert not first & second


def test_nobody_is_asked_who_hosts_an_onion(crawled: Crawled) -> None:
    answer = crawled.work.run("enrich")
    rows = crawled.work.run("hosting", "list").rows

    assert answer.code == 0
    assert {(row["country"], row["country_level"], row["network_name"]) for row in rows} == {
        (None, "unknown", None)
    }
    assert not crawled.names.queries


def test_an_onion_gets_no_notice_and_its_item_says_why(crawled: Crawled) -> None:
    work = crawled.work
    assert work.run("evidence", "confirm", "--all", "--reason", "read", "--classification", "A1").code == 0

    answer = work.run("notices", "draft")

    assert not work.run("notices", "list").rows
    assert "an onion service has no host that could be told" in answer.err


def look(work: Desk, start: datetime, hours: float) -> dict[str, Check]:
    """Make one round with the clock moved on, and give each onion's check by its host."""

    def clock() -> datetime:
        return start + timedelta(hours=hours)

    hosts = {page.id: page.url.split("/")[2] for page in page_rows(work)}
    owners = {item.id: hosts[item.page_id] for item in records(work, Evidence)}
    known = {check.id for check in records(work, Check)}
    workspace = work.open()
    try:
        run_checks(workspace, due_evidence(workspace, clock(), everything=True), clock=clock)
    finally:
        workspace.log.close()
    return {owners[check.evidence_id]: check for check in records(work, Check) if check.id not in known}


def test_an_onion_taken_down_is_gone_only_after_its_longer_span(crawled: Crawled) -> None:
    start = datetime.now(UTC)
    gone, stays = crawled.onions
    both = look(crawled.work, start, 1)
    crawled.network.take_down(gone)
    rounds = {hours: look(crawled.work, start, hours) for hours in (8, 60, 100, 130, 170, 177)}

    assert {check.signal.value for check in both.values()} == {"PRESENT"}
    assert {hours: checks[gone].state.value for hours, checks in rounds.items()} == {
        **dict.fromkeys((8, 60, 100, 130, 170), "SUSPECT"),
        177: "REMOVED_PROVISIONAL",
    }
    assert {checks[gone].signal.value for checks in rounds.values()} == {"UNREACH"}
    assert {checks[gone].vantage for checks in rounds.values()} == {"own+circuits"}
    assert {checks[stays].state.value for checks in rounds.values()} == {"LIVE"}


def test_tor_says_how_it_is(network: TorNetwork) -> None:
    state = tor_state(network.control)

    assert is_test_network(network.control)
    assert (state.is_ready, state.progress, state.phase, state.trouble) == (True, 100, "done", None)
    assert state.version.startswith("0.4")
    assert state.circuits > 0
    assert state.has_extended_errors


def test_an_onion_waits_for_tor_while_other_leads_go_on(
    network: TorNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three crawls without Tor must cost it neither its place nor an attempt."""
    with DnsServer() as names, bakery("spelt") as clear, bakery("bran") as hidden:
        onion = network.onion(hidden.port)
        work = work_at(tmp_path, resolver=names.address)
        assert work.add_leads(f"http://{onion}/", clear.url("/")).code == 0
        monkeypatch.setenv("LEADLINE_NETWORK__TOR__ENABLED", "false")
        without = [crawl(work) for _ in range(3)]
        refused = [page for page in page_rows(work) if page.refused]
        with tor_settings(network):
            crawl(work)

        recorded = [page for page in page_rows(work) if page.outcome.value == "text"]

    assert [(one["onions_put_off"], one["put_off"]) for one in without] == [(1, 1)] * 3
    assert {(page.refused, page.url) for page in refused} == {("onion_without_tor", f"http://{onion}/")}
    assert Counter(page.via for page in recorded) == {"direct": 4, "tor": 4}
    assert not names.queries


def test_redirects_between_the_clear_web_and_onions_are_proposed_and_not_followed(
    network: TorNetwork, tmp_path: Path
) -> None:
    with DnsServer() as names, WebServer() as clear, WebServer() as hidden, tor_settings(network):
        onion = network.onion(hidden.port)
        clear.routes["/"] = redirect(f"http://{onion}/elsewhere")
        hidden.routes["/"] = redirect("http://bread.example/elsewhere")
        work = work_at(tmp_path, resolver=names.address)
        assert work.add_leads(f"http://{onion}/", clear.url("/")).code == 0
        summary = crawl(work)
        proposed = {lead.host for lead in records(work, Lead) if lead.origin is Origin.DISCOVERED}

    assert {(page.refused, page.via) for page in page_rows(work)} == {
        ("redirect_scope", "tor"),
        ("redirect_scope", "direct"),
    }
    assert (summary["proposals"], proposed) == (2, {onion, "bread.example"})
    assert (clear.paths, hidden.paths) == (["/"], ["/"])
    assert not names.queries


def test_a_proxy_failure_that_passes_is_got_over(
    network: TorNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tor answers 1, its general failure, now and then; new circuits are asked for before the third try."""
    with bakery("teff") as hidden, SocksServer(hidden.port) as socks, tor_settings(network):
        socks.replies.extend([1, 1])
        monkeypatch.setenv("LEADLINE_NETWORK__TOR__SOCKS", socks.address)
        signals: list[Any] = []
        work = work_at(tmp_path)
        assert work.add_leads(f"http://{'a2345672' * 7}.onion/").code == 0
        network.controller.add_event_listener(signals.append, EventType.SIGNAL)
        crawl(work)
        network.controller.remove_event_listener(signals.append)

    assert [event.signal for event in signals] == ["NEWNYM"]
    assert set(hidden.paths) >= {"/", "/loaf/1", "/loaf/2", "/loaf/3"}
    assert len(socks.asked) == 2 + len(hidden.all_paths)
    assert {page.outcome.value for page in page_rows(work)} == {"text"}
