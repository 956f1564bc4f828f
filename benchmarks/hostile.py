"""One table of everything hostile: outcome, acknowledged bytes, time, CPU, memory, connections, bounds.

`python -m benchmarks.hostile [--only TEXT]`. Every case runs alone, one after another, through one transport,
against servers in another process. The last line counts the cases and those over a bound; the exit status is
1 if there are any.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.hostile_parsing import parser_rows
from benchmarks.hostile_private import rows as private_rows
from benchmarks.hostile_servers import HONEST, Servers, TlsRow, Visited, servers
from crawler.transport.client import Transport
from crawler.transport.fetch import Answer, FetchFailed, Limits, Refused
from tests.servers.hostile_cases import PAGE_CAP, Case
from tests.servers.hostile_http import http_cases

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

LIMITS = Limits(connect_s=0.7, idle_s=0.8, total_s=0.9, page_bytes=PAGE_CAP)
WALL_BOUND_S = 2.0
CPU_BOUND_S = 2.0
MEMORY_BOUND_KB = 16 * 1024
VARIANTS = {
    "plain": ("plain", False), "TLS": ("tls", False), "IPv6": ("ipv6", False),
    "second": ("plain", True), "TLS second": ("tls", True),
}  # fmt: skip
"""Name of the variant: server, and whether an honest request to it goes before."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table; ``over`` names the bounds that do not hold."""

    case: str
    variant: str
    outcome: str
    acked_bytes: int
    wall_s: float
    cpu_s: float
    memory_kb: int
    connections: int
    bound: str
    over: tuple[str, ...]

    def line(self) -> str:
        verdict = "OVER " + " ".join(self.over) if self.over else "ok"
        return (
            f"{self.case[:40]:40} {self.variant:10} {self.outcome[:16]:16} {self.acked_bytes:>9,} "
            f"{self.wall_s:6.2f} {self.cpu_s:6.2f} {self.memory_kb:>8,} {self.connections:>4} "
            f"{self.bound:>12} {verdict}"
        )


HEADING = (
    f"{'case':40} {'variant':10} {'outcome':16} {'acked':>9} {'wall s':>6} {'CPU s':>6} {'mem KB':>8} "
    f"{'conn':>4} {'bound':>12}"
)


class Cost(NamedTuple):
    """What one call cost this process and its children."""

    wall_s: float
    cpu_s: float
    memory_kb: int

    def over(self) -> list[str]:
        found = {
            "time": self.wall_s > WALL_BOUND_S,
            "CPU": self.cpu_s > CPU_BOUND_S,
            "memory": self.memory_kb > MEMORY_BOUND_KB,
        }
        return [name for name, is_over in found.items() if is_over]


def cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def memory_kb(name: str) -> int:
    """Give ``VmRSS`` or, since the last reset, ``VmHWM``."""
    line = next(one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith(name))
    return int(line.split()[1])


def begin_peak_again() -> None:
    """Let the kernel forget this process's peak memory (proc(5))."""
    Path("/proc/self/clear_refs").write_text("5")


async def costed(call: Callable[[], Awaitable[Result]]) -> tuple[Result, Cost]:
    gc.collect()
    begin_peak_again()
    before_kb, before_cpu_s, before_s = memory_kb("VmRSS"), cpu_s(), time.monotonic()
    result = await call()
    cost = Cost(time.monotonic() - before_s, cpu_s() - before_cpu_s, max(0, memory_kb("VmHWM") - before_kb))
    return result, cost


class Result(NamedTuple):
    """What came of a fetch."""

    outcome: str
    body: bytes = b""
    problem: str | None = None


async def fetched(transport: Transport, url: str) -> Result:
    try:
        got: Answer = await transport.fetch(url)
    except (Refused, FetchFailed) as error:
        return Result(error.code, problem=error.fetch.tls_problem if error.fetch else None)
    return Result("text" if got.body else str(got.status), got.body, got.fetch.tls_problem)


async def http_row(transport: Transport, far: Servers, case: Case, variant: str) -> Row:
    server, is_second = VARIANTS[variant]
    url = far.urls[server]
    if is_second:
        await fetched(transport, url + HONEST)
        await far.visited(server)
    result, cost = await costed(lambda: fetched(transport, url + case.path))
    visits = [visit for visit in await far.visited(server) if visit.path == case.path]
    bound = case.bound_under_tls() if server == "tls" else case.bound_bytes
    acked = sum(visit.acked_bytes for visit in visits)
    over = [
        *(["bytes"] if acked > bound else []),
        *(["outcome"] if result.outcome not in case.outcomes else []),
        *(["page"] if result.outcome == "text" and result.body != case.body else []),
        *(["connections"] if len(visits) != 1 else []),
        *cost.over(),
    ]
    return Row(
        case=case.name,
        variant=variant,
        outcome=result.outcome,
        acked_bytes=acked,
        wall_s=cost.wall_s,
        cpu_s=cost.cpu_s,
        memory_kb=cost.memory_kb,
        connections=len(visits),
        bound=f"{bound:,}",
        over=tuple(over),
    )


async def tls_row(transport: Transport, far: Servers, case: TlsRow) -> Row:
    result, cost = await costed(lambda: fetched(transport, far.urls[case.name] + "/"))
    visits: list[Visited] = await far.visited(case.name)
    acked = sum(visit.total_acked_bytes for visit in visits)
    over = [
        *(["bytes"] if acked > case.bound_bytes else []),
        *(["outcome"] if result.outcome not in case.outcomes or result.problem != case.problem else []),
        *(["connections"] if len(visits) > case.connections else []),
        *(["requests"] if sum(visit.is_asked for visit in visits) > case.requests else []),
        *cost.over(),
    ]
    return Row(
        case=case.name,
        variant="handshake",
        outcome=result.outcome,
        acked_bytes=acked,
        wall_s=cost.wall_s,
        cpu_s=cost.cpu_s,
        memory_kb=cost.memory_kb,
        connections=len(visits),
        bound=f"{case.bound_bytes:,}",
        over=tuple(over),
    )


async def transport_rows(far: Servers, only: str) -> Iterator[Row]:
    transport = Transport(practice=True, user_agent="bench", limits=LIMITS, ca_file=far.ca_file)
    for variant, (server, _) in VARIANTS.items():
        await fetched(transport, far.urls[server] + HONEST)  # what is made once is no case's cost
        await far.visited(server)
        for case in http_cases():
            if only in case.name:
                yield await http_row(transport, far, case, variant)
    for case in far.tls_rows:
        if only in case.name:
            yield await tls_row(transport, far, case)
    await transport.close()


def packet_rows(only: str) -> Iterator[Row]:
    """Give the rows of addresses that may not be knocked at."""
    for row in private_rows():
        if only not in str(row["case"]):
            continue
        over = [name for name, is_over in {
            "packets": row["knocks"] != 0, "outcome": row["outcome"] != "private_address",
        }.items() if is_over]  # fmt: skip
        yield Row(
            case=str(row["case"]),
            variant=str(row["counted_by"]),
            outcome=str(row["outcome"]),
            acked_bytes=0,
            wall_s=float(row["wall_s"]),
            cpu_s=float(row["cpu_s"]),
            memory_kb=0,
            connections=int(row["knocks"]),
            bound="0 packets",
            over=tuple(over),
        )


async def parsing_rows(only: str) -> Iterator[Row]:
    """Give the rows of pages that are bombs for parsers."""
    for name, read, outcomes in parser_rows():
        if only not in name:
            continue
        outcome, cost = await costed(read)
        over = [
            *(["outcome"] if outcome not in outcomes else []),
            *(one for one in cost.over() if one == "CPU"),
        ]
        yield Row(
            case=name,
            variant="parser",
            outcome=outcome,
            acked_bytes=0,
            wall_s=cost.wall_s,
            cpu_s=cost.cpu_s,
            memory_kb=cost.memory_kb,
            connections=0,
            bound="2 CPU s",
            over=tuple(over),
        )


async def table(far: Servers, only: str) -> list[Row]:
    rows: list[Row] = []
    gc.freeze()  # what stands by now is never looked through again

    def take(row: Row) -> None:
        print(row.line(), flush=True)
        rows.append(row)

    print(HEADING)
    async for row in transport_rows(far, only):
        take(row)
    for row in packet_rows(only):
        take(row)
    async for row in parsing_rows(only):
        take(row)
    return rows


def main() -> None:
    """Print the table and say by the exit status whether all bounds hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose name holds this")
    only = parser.parse_args().only
    started_s = time.monotonic()
    with servers() as far:
        rows = asyncio.run(table(far, only))
    over = [row for row in rows if row.over]
    for row in over:
        print(row.line())
    print(
        f"{len(rows)} cases in {time.monotonic() - started_s:.0f} s, "
        f"{memory_kb('VmRSS'):,} KB resident at the end; {len(over)} over a bound"
    )
    sys.exit(1 if over else 0)


if __name__ == "__main__":
    main()
