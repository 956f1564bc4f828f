"""The hostile servers in a process of their own, so that their work is not counted as the crawler's."""

from __future__ import annotations

import asyncio
import multiprocessing
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from tests.servers.certificates import new_authority
from tests.servers.hostile import WAIT_S, HostileServer, answer, page
from tests.servers.hostile_cases import HTML
from tests.servers.hostile_http import http_cases
from tests.servers.hostile_tls import tls_cases

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

HONEST = "/honest"


class Visited(NamedTuple):
    """What a server counted of one connection."""

    path: str
    acked_bytes: int
    total_acked_bytes: int
    is_asked: bool


class TlsRow(NamedTuple):
    """A TLS case without its server, which stays in the other process."""

    name: str
    outcomes: frozenset[str]
    problem: str | None
    connections: int
    requests: int
    bound_bytes: int


class Servers:
    """The near end of the servers' process."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.ca_file, self.urls, self.tls_rows = pipe.recv()

    async def visited(self, server: str) -> list[Visited]:
        """Give what ``server`` counted since the last time, once all its connections are over."""
        # In a thread: our own loop must go on, or it never closes what the server waits for.
        return await asyncio.to_thread(self._ask, server)

    def _ask(self, server: str) -> list[Visited]:
        self._pipe.send(server)
        if not self._pipe.poll(WAIT_S + 5):
            raise TimeoutError(server)
        return self._pipe.recv()


@contextmanager
def servers() -> Iterator[Servers]:
    """Start the process and end it."""
    context = multiprocessing.get_context("spawn")
    near, far = context.Pipe()
    process = context.Process(target=_serve, args=(far,), daemon=True)
    process.start()
    try:
        yield Servers(near)
    finally:
        near.send("")
        process.join(10)
        process.kill()


def _serve(pipe: Connection) -> None:
    with TemporaryDirectory() as folder, ExitStack() as stack:
        authority = new_authority(Path(folder))
        scripts = {case.path: case.script for case in http_cases()} | {HONEST: answer(page(3000), HTML)}
        kinds = {
            "plain": HostileServer(scripts),
            "tls": HostileServer(scripts, authority.server_context("127.0.0.1")),
            "ipv6": HostileServer(scripts, host="::1"),
        }
        cases = list(tls_cases(authority))
        kinds |= {case.name: case.server for case in cases}
        for server in kinds.values():
            stack.enter_context(server)
        rows = [
            TlsRow(one.name, one.outcomes, one.problem, one.connections, one.requests, one.bound_bytes)
            for one in cases
        ]
        pipe.send((authority.file, {name: server.url("") for name, server in kinds.items()}, rows))
        while name := pipe.recv():
            pipe.send(_visited(kinds[name]))


def _visited(server: HostileServer) -> list[Visited]:
    visits = server.wait_over(len(server.visits))
    server.visits.clear()
    return [
        Visited(visit.path, visit.acked_bytes, visit.total_acked_bytes, bool(visit.request))
        for visit in visits
    ]
