"""Count packets to private addresses: none may leave, whatever a name or an address leads to.

`python -m benchmarks.hostile_private` prints one JSON row a case. As root, `make hostile` runs it in a net
namespace, where all these addresses are its own and listened at, and where the kernel's counter of connection
attempts (`ActiveOpens` of /proc/net/snmp) is nobody else's. Elsewhere only the listeners on loopback count.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from crawler.transport.client import Transport
from crawler.transport.fetch import FetchFailed, Limits, Refused
from tests.servers.dns import DnsServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dnslib import DNSRecord

OURS_V4 = [
    "10.0.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.168.0.1",
    "192.0.2.1",
    "198.18.0.1",
]
OURS_V6 = ["fd00::1", "fec0::1", "2001:db8::1", "2002:a00:1::1", "64:ff9b::a00:1", "::a00:1"]
MORE_V4 = ["127.0.0.1", "127.9.9.9", "0.0.0.0", "224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.0.8"]
MORE_V6 = ["::1", "::", "::ffff:7f00:1", "::ffff:a00:1", "64:ff9b:1::a00:1", "2001:0:5ef5:79fd::f5ff:fffe",
           "fe80::1", "ff02::1"]  # fmt: skip
LITERALS = [
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.1",
    "[::ffff:10.0.0.1]",
    "[fe80::1%25lo]",
    "10.0.0.1.",
]
LIMITS = Limits(connect_s=1, idle_s=1, total_s=2)
INSIDE = "LEADLINE_BENCH_NAMESPACE"


@dataclass
class TurningDns(DnsServer):
    """Answer each query of a type with the next of ``turns``."""

    turns: list[list[str]] = field(default_factory=list)
    asked: dict[str, int] = field(default_factory=dict)

    def _reply(self, query: DNSRecord) -> DNSRecord | None:
        kind = str(query.q.qtype)
        turn = self.asked[kind] = self.asked.get(kind, -1) + 1
        self.zone["turning.example"] = self.turns[turn % len(self.turns)]
        return super()._reply(query)


def rows() -> Iterator[dict[str, object]]:
    """Give the rows, from a namespace of its own where that is possible."""
    may = os.geteuid() == 0 and shutil.which("unshare") and shutil.which("ip")
    command = [sys.executable, "-m", "benchmarks.hostile_private"]
    environment = os.environ | {INSIDE: "1" if may else "0"}
    if may:
        command = ["unshare", "--net", *command]
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=120
    )
    return (json.loads(line) for line in done.stdout.splitlines())


def main() -> None:
    """Print the rows as seen from here."""
    is_inside = os.environ.get(INSIDE) == "1"
    if is_inside:
        _own_addresses()
    with ExitStack() as stack:
        listeners = _listeners(stack, everywhere=is_inside)
        if is_inside:
            _show_that_it_counts(listeners)
        asyncio.run(_all(listeners, is_inside=is_inside))


def _own_addresses() -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in [*(f"{ip}/32" for ip in OURS_V4), *(f"{ip}/128" for ip in OURS_V6)]:
        subprocess.run(["ip", "addr", "add", address, "dev", "lo"], check=True)


def _listeners(stack: ExitStack, *, everywhere: bool) -> list[socket.socket]:
    hosts = ("0.0.0.0", "::") if everywhere else ("127.0.0.1", "::1")
    first = stack.enter_context(socket.create_server((hosts[0], 0), backlog=100))
    port = first.getsockname()[1]
    second = stack.enter_context(socket.create_server((hosts[1], port), family=socket.AF_INET6, backlog=100))
    for listener in (first, second):
        listener.settimeout(0)
    return [first, second]


def _show_that_it_counts(listeners: list[socket.socket]) -> None:
    """Knock at a private address ourselves: a counter that stays at 0 then would prove nothing."""
    before = _attempts()
    for address in ("10.0.0.1", "fd00::1"):
        socket.create_connection((address, listeners[0].getsockname()[1]), 2).close()
    if (_attempts() - before, _accepted(listeners)) != (2, 2):
        raise SystemExit("the counters do not count")


def _attempts() -> int:
    """Give how many connections this namespace has tried to open (RFC 4022, tcpActiveOpens)."""
    names, values = [
        line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Tcp:")
    ]
    return int(values[names.index("ActiveOpens")])


def _accepted(listeners: list[socket.socket]) -> int:
    count = 0
    for listener in listeners:
        with suppress(BlockingIOError):
            while True:
                listener.accept()[0].close()
                count += 1
    return count


def _zone() -> dict[str, list[str] | str]:
    records = [f"A {ip}" for ip in OURS_V4 + MORE_V4] + [f"AAAA {ip}" for ip in OURS_V6 + MORE_V6]
    zone: dict[str, list[str] | str] = {
        f"n{number}.example": [record] for number, record in enumerate(records)
    }
    zone["all.example"] = records
    zone["alias.example"] = ["CNAME n0.example"]
    return zone


async def _all(listeners: list[socket.socket], *, is_inside: bool) -> None:
    port = listeners[0].getsockname()[1]
    zone = _zone()
    turns = [["0 " + str(record)] for records in zone.values() for record in records if "CNAME" not in record]
    with TurningDns(zone, turns=turns) as names:
        transport = Transport(practice=False, user_agent="bench", limits=LIMITS, nameservers=[names.address])
        labelled = [
            (f"name with {records[0]}" if len(records) == 1 else name, name) for name, records in zone.items()
        ]
        labelled += [("name that turns", "turning.example")] * 20
        labelled += [
            (f"literal {ip}", ip if ":" not in ip else f"[{ip}]")
            for ip in OURS_V4 + MORE_V4 + OURS_V6 + MORE_V6
        ]
        labelled += [(f"literal {text}", text) for text in LITERALS]
        for label, host in labelled:
            before, started_s, cpu_s = _attempts(), time.monotonic(), time.process_time()
            outcome = await _outcome(transport, f"http://{host}:{port}/")
            knocks = _accepted(listeners) + (_attempts() - before if is_inside else 0)
            row = {
                "case": label,
                "outcome": outcome,
                "knocks": knocks,
                "counted_by": "kernel" if is_inside else "listeners",
                "wall_s": time.monotonic() - started_s,
                "cpu_s": time.process_time() - cpu_s,
            }
            print(json.dumps(row), flush=True)
        await transport.close()


async def _outcome(transport: Transport, url: str) -> str:
    try:
        return str((await transport.fetch(url)).status)
    except (Refused, FetchFailed) as error:
        return error.code


if __name__ == "__main__":
    main()
