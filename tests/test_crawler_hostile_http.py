"""Every hostile HTTP answer: what comes of it, and how little of it was acknowledged.

All cases of a variant run at once against one server: the whole table costs little more than one deadline.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from crawler.transport.client import Transport
from crawler.transport.fetch import FetchFailed, Limits, Refused
from tests.servers.certificates import new_authority
from tests.servers.hostile import HostileServer, answer, page
from tests.servers.hostile_cases import HTML, PAGE_CAP, Case
from tests.servers.hostile_http import http_cases

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.hostile import Visit

CASES = list(http_cases())
VARIANTS = ("plain", "tls", "second over IPv6")
LIMITS = Limits(connect_s=1, idle_s=1.2, total_s=1.5, page_bytes=PAGE_CAP)
HANG_S = 15
HONEST = "/honest"


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one case."""

    outcome: str
    body: bytes
    told: str
    visits: list[Visit]


Variant = tuple[str, dict[str, Result], list[str]]
"""Name, result of each case, and the log lines that hold an address."""


class _Ear(logging.Handler):
    """Keep all that is logged."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage() + str(record.exc_info or ""))


async def fetch_case(
    transport: Transport, server: HostileServer, case: Case, *, warm: bool
) -> tuple[str, bytes, str]:
    """Give outcome, text and message of one fetch; ``warm``: an honest request goes before."""
    try:
        if warm:
            await transport.fetch(server.url(HONEST))
        got = await asyncio.wait_for(transport.fetch(server.url(case.path)), HANG_S)
    except (Refused, FetchFailed) as error:
        return error.code, b"", str(error)
    return ("text" if got.body else str(got.status)), got.body, ""


async def fetch_all(
    server: HostileServer, *, ca_file: str | None, warm: bool
) -> list[tuple[str, bytes, str]]:
    transport = Transport(practice=True, user_agent="test", limits=LIMITS, ca_file=ca_file)
    slots = asyncio.Semaphore(12)

    async def one(case: Case) -> tuple[str, bytes, str]:
        async with slots:
            return await fetch_case(transport, server, case, warm=warm)

    try:
        return await asyncio.gather(*(one(case) for case in CASES))
    finally:
        await transport.close()


def run_variant(variant: str, folder: Path) -> tuple[dict[str, Result], list[str]]:
    """Give the result of each case, and all that was logged."""
    scripts = {case.path: case.script for case in CASES} | {HONEST: answer(page(3000), HTML)}
    authority = new_authority(folder)
    context = authority.server_context("127.0.0.1") if variant == "tls" else None
    host = "::1" if "IPv6" in variant else "127.0.0.1"
    ear = _Ear()
    root = logging.getLogger()
    level = root.level
    root.addHandler(ear)
    root.setLevel(logging.DEBUG)
    try:
        with HostileServer(scripts, context, host) as server:
            got = asyncio.run(fetch_all(server, ca_file=authority.file, warm="second" in variant))
            server.wait_over(len(server.visits))
    finally:
        root.removeHandler(ear)
        root.setLevel(level)
    by_path: dict[str, list[Visit]] = {}
    for visit in server.visits:
        by_path.setdefault(visit.path, []).append(visit)
    results = {
        case.name: Result(outcome=outcome, body=body, told=told, visits=by_path.get(case.path, []))
        for case, (outcome, body, told) in zip(CASES, got, strict=True)
    }
    return results, [line for line in ear.lines if host in line or str(server.port) in line]


@pytest.fixture(scope="module", params=VARIANTS)
def variant(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Variant:
    results, leaks = run_variant(request.param, tmp_path_factory.mktemp("hostile"))
    return request.param, results, leaks


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_hostile_answer_ends_as_it_must(case: Case, variant: Variant) -> None:
    name, results, _ = variant
    result = results[case.name]

    assert result.outcome in case.outcomes
    assert result.body == (case.body if result.outcome == "text" else b""), "a wrong page was delivered"
    assert len(result.visits) == 1, "one connection, one request"
    assert result.visits[0].acked_bytes <= (case.bound_under_tls() if name == "tls" else case.bound_bytes)
    assert "127.0.0.1" not in result.told
    assert "::1" not in result.told


def test_no_hostile_answer_brings_an_address_into_the_log(
    variant: Variant,
) -> None:
    assert variant[2] == []


def test_there_are_some_two_hundred_cases() -> None:
    assert len({case.path for case in CASES}) == len(CASES) >= 200
