"""Every hostile way to speak TLS: what is recorded, what is read, and how many bytes it costs."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from crawler.transport.client import Transport
from crawler.transport.fetch import Fetch, FetchFailed, Limits, Refused
from tests.servers.certificates import new_authority
from tests.servers.hostile import HostileServer
from tests.servers.hostile_cases import PAGE_CAP
from tests.servers.hostile_tls import PAGE, TlsCase, tls_cases

if TYPE_CHECKING:
    from tests.servers.certificates import Authority

LIMITS = Limits(connect_s=1, idle_s=1.2, total_s=2, page_bytes=PAGE_CAP)
HANG_S = 15
Result = tuple[str, bytes, "Fetch | None"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return new_authority(tmp_path_factory.mktemp("tls"))


async def fetch_one(transport: Transport, case: TlsCase) -> Result:
    try:
        got = await asyncio.wait_for(transport.fetch(case.server.url("/")), HANG_S)
    except (Refused, FetchFailed) as error:
        return error.code, b"", error.fetch
    return ("text" if got.body else str(got.status)), got.body, got.fetch


def run(cases: list[TlsCase], authority: Authority, *, reads: bool) -> dict[str, Result]:
    """Fetch from all servers at once."""

    async def all_cases() -> list[Result]:
        transport = Transport(
            practice=True,
            user_agent="test",
            limits=LIMITS,
            ca_file=authority.file,
            may_read_invalid_tls=reads,
        )
        try:
            return await asyncio.gather(*(fetch_one(transport, case) for case in cases))
        finally:
            await transport.close()

    with ExitStack() as servers:
        for case in cases:
            servers.enter_context(case.server)
        got = asyncio.run(all_cases())
        for case in cases:
            case.server.wait_over(len(case.server.visits))
    return {case.name: result for case, result in zip(cases, got, strict=True)}


@pytest.fixture(scope="module")
def fetched(authority: Authority) -> tuple[dict[str, TlsCase], dict[str, Result]]:
    cases = list(tls_cases(authority))
    return {case.name: case for case in cases}, run(cases, authority, reads=True)


def test_every_tls_server_is_met_as_it_must(fetched: tuple[dict[str, TlsCase], dict[str, Result]]) -> None:
    """One test over the table: its cases need an authority that only a fixture can make."""
    wrong = {}
    for name, case in fetched[0].items():
        outcome, body, fetch = fetched[1][name]
        visits = case.server.visits
        seen = (
            outcome in case.outcomes,
            body == (PAGE if outcome == "text" else b""),
            fetch is not None and fetch.tls_problem == case.problem,
            len(visits) == case.connections,
            sum(bool(visit.request) for visit in visits) <= case.requests,
            sum(visit.total_acked_bytes for visit in visits) <= case.bound_bytes,
        )
        if not all(seen):
            wrong[name] = (outcome, seen)

    assert wrong == {}
    assert len(fetched[0]) >= 40


def test_a_bad_certificate_is_recorded_and_its_page_not_asked_for_where_the_setting_says_so(
    authority: Authority, fetched: tuple[dict[str, TlsCase], dict[str, Result]]
) -> None:
    bad = [case for case in fetched[0].values() if case.problem and case.outcomes == {"text"}]
    again = [replace(case, server=HostileServer(case.server.scripts, case.server.context)) for case in bad]
    refused = run(again, authority, reads=False)

    for case in again:
        outcome, _, fetch = refused[case.name]
        read = fetched[1][case.name][2]
        assert fetch is not None
        assert read is not None
        assert (outcome, fetch.tls_valid, fetch.tls_problem) == ("tls", False, case.problem)
        assert fetch.tls_sha256 == read.tls_sha256
        assert fetch.tls_sha256
        assert fetch.request_headers_sha256 is None
        assert not any(visit.request for visit in case.server.visits)
    assert len(again) >= 8
