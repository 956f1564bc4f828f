"""The surroundings of the outages: sites with a log of hits, a server, machines with cables, a small disk."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from tests.crawl_samples import TERM, html
from tests.servers.postgresql import programs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parent.parent
DELAY_S = 0.3
SERVICE_S = 0.05
"""How long a site takes to answer: so that two at once would be seen."""
LIMIT_S = 900.0
DATABASE_NET, SITES_NET = "10.77.1", "10.77.2"
HUB = 254


# ---- the sites, with their log of hits


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    at_s: float
    until_s: float
    port: int
    path: str
    machine: str


@dataclass
class Sites:
    """Sites of made-up prose, each on a port of its own: a tree of pages, one of them with the term."""

    address: str
    count: int
    pages: int
    hits: list[Hit] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)

    def __enter__(self) -> Sites:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def urls(self) -> list[str]:
        return [f"http://127.0.0.1:{port}/" for port in self.ports]

    async def _listen(self) -> None:
        for _ in range(self.count):
            server = await asyncio.start_server(self._serve, self.address, 0, backlog=64)
            self.ports.append(server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port, machine = writer.get_extra_info("sockname")[1], writer.get_extra_info("peername")[0]
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                at_s, path = time.monotonic(), head.split(b" ", 2)[1].decode()
                await asyncio.sleep(SERVICE_S)
                # Logged before it is sent: who reads the answer may ask again at once.
                hit = Hit(at_s=at_s, until_s=time.monotonic(), port=port, path=path, machine=machine)
                self.hits.append(hit)
                writer.write(self._reply(port, path))
                await writer.drain()
        writer.close()

    def _reply(self, port: int, path: str) -> bytes:
        number = 0 if path == "/" else int(path[6:]) if path[6:].isdigit() else self.pages
        status, body = page(port, number, self.pages)
        kind = "text/html; charset=utf-8" if status < 300 else "text/plain"
        head = f"HTTP/1.1 {status} Loaf\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body


@cache
def page(port: int, number: int, pages: int) -> tuple[int, bytes]:
    if number >= pages:
        return 404, b"no such loaf\n"
    links = tuple(f"/loaf/{one}" for one in (3 * number + 1, 3 * number + 2, 3 * number + 3) if one < pages)
    return 200, html((port, number), links=links, term=TERM if number == pages // 2 else "")[2]


def politeness(hits: list[Hit]) -> dict[str, Any]:
    """Say how near two requests to one site ever came, and whether two machines were ever there at once."""
    by_port = defaultdict(list)
    for hit in sorted(hits, key=lambda one: one.at_s):
        by_port[hit.port].append(hit)
    gaps, handovers, overlaps = [], [], 0
    for asked in by_port.values():
        for one, other in itertools.pairwise(asked):
            gaps.append(other.at_s - one.at_s)
            overlaps += other.at_s < one.until_s
            if one.machine != other.machine:
                handovers.append(other.at_s - one.until_s)
    return {
        "hits": len(hits),
        "smallest_gap_s": round(min(gaps), 3),
        "overlaps": overlaps,
        "handovers": len(handovers),
        "smallest_handover_gap_s": round(min(handovers), 3) if handovers else None,
    }


# ---- the database


class Postgres:
    """A private server, run as an unprivileged user, that can be stopped and started."""

    def __init__(self, home: Path, address: str, *, allowed: str = "127.0.0.0/8") -> None:
        names = {entry.pw_name: entry for entry in pwd.getpwall()}
        self._user = names.get("postgres") or names["nobody"]
        self.home, self._folder = home, programs()
        home.mkdir(exist_ok=True)
        os.chown(home, self._user.pw_uid, self._user.pw_gid)
        with socket.socket() as probe:
            probe.bind((address, 0))
            self.port = probe.getsockname()[1]
        self.url = f"postgresql+psycopg://leadline@{address}:{self.port}/postgres"
        self._options = f"-k {home} -h {address} -p {self.port} -F -c max_connections=120"
        self._run("initdb", "-D", home / "data", "-U", "leadline", "-A", "trust", "-N", "-E", "UTF8")
        with (home / "data" / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {allowed} trust\n")

    def start(self) -> bool:
        return self._run(
            "pg_ctl", "-D", self.home / "data", "-l", self.home / "log", "-w", "-o", self._options, "start"
        )

    def stop(self, mode: str = "fast") -> bool:
        return self._run("pg_ctl", "-D", self.home / "data", "-m", mode, "-w", "stop")

    def write_log(self) -> None:
        """Write megabytes into the server's log of changes, until it needs another file there."""
        engine = sa.create_engine(self.url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with contextlib.suppress(sa.exc.SQLAlchemyError), engine.connect() as connection:
            for _ in range(40):
                connection.execute(sa.text("SELECT pg_logical_emit_message(true, 'x', repeat('x', 1000000))"))

    def is_up(self) -> bool:
        return self._run("pg_ctl", "-D", self.home / "data", "status")

    def _run(self, program: str, *arguments: object) -> bool:
        done = subprocess.run(
            [str(self._folder / program), *map(str, arguments)],
            cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            user=self._user.pw_uid, group=self._user.pw_gid, extra_groups=[], check=False,
        )  # fmt: skip
        return done.returncode == 0


# ---- the program under test


@dataclass(slots=True)
class Program:
    """One `leadline` process with its output in files."""

    name: str
    folder: Path
    popen: subprocess.Popen[bytes]
    inside: bool = False

    @property
    def err(self) -> str:
        return (self.folder / f"{self.name}.err").read_text(errors="replace")

    @property
    def summary(self) -> dict[str, Any]:
        lines = (self.folder / f"{self.name}.out").read_text().splitlines()
        return json.loads(lines[-1]) if lines else {}

    def terminate(self) -> float:
        """Send SIGTERM, and return after how many seconds the process had ended."""
        began_s = time.monotonic()
        os.kill(self._pid(), signal.SIGTERM)
        self.popen.wait(30)
        return round(time.monotonic() - began_s, 2)

    def _pid(self) -> int:
        if not self.inside:
            return self.popen.pid
        children = Path(f"/proc/{self.popen.pid}/task/{self.popen.pid}/children").read_text().split()
        return int(children[0])


def leadline(run: Path, name: str, workspace: Path, *words: str, within: tuple[str, ...] = ()) -> Program:
    """Start `leadline`; `within` is what stands before it on the command line."""
    environment = {**os.environ, "LEADLINE_WORKSPACE": str(workspace), "LEADLINE_USER": "ada"}
    with (run / f"{name}.out").open("wb") as out, (run / f"{name}.err").open("wb") as err:
        popen = subprocess.Popen(
            [*within, sys.executable, "-m", "desk.cli", "--json", "-v", *words],
            cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
        )  # fmt: skip
    return Program(name, run, popen, inside=bool(within))


def prepare(run: Path, workspace: Path, sites: Sites, settings: dict[str, Any], database: str = "") -> None:
    """Make a workspace with one rule and a confirmed lead for each site."""
    (run / "leads.csv").write_text("url,report\n" + "".join(f"{url},R-1\n" for url in sites.urls()))
    (run / "terms.csv").write_text(f"id,term,weight,kind\nt1,{TERM},1,word\n")
    password = ["users", "add", "ada", "--role", "supervisor", "--password-stdin"]
    environment = {**os.environ, "LEADLINE_WORKSPACE": str(workspace), "LEADLINE_USER": "ada"}
    for words in (
        ["init", "--practice", *(["--database", database] if database else [])],
        password,
        ["terms", "import", str(run / "terms.csv")],
        ["leads", "add", str(run / "leads.csv"), "--source", "bench", "--confirm"],
    ):
        command = [sys.executable, "-m", "desk.cli", "--json", *words]
        subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            input=b"Bread-and-Butter-1\n",
            check=True,
            stdout=subprocess.DEVNULL,
        )
    chosen = {"delay_seconds": DELAY_S, "per_host": 1, **settings}
    with (workspace / "leadline.toml").open("a") as file:
        file.write("\n[crawl]\n" + "".join(f"{key} = {value}\n" for key, value in chosen.items()))


def wait_until(what: Callable[[], Any], limit_s: float = LIMIT_S, each_s: float = 0.2) -> bool:
    end_s = time.monotonic() + limit_s
    while not what():
        if time.monotonic() > end_s:
            return False
        time.sleep(each_s)
    return True


@contextlib.contextmanager
def two_machines() -> Iterator[None]:
    """Make two network namespaces, each with a cable to the database's net and one to the sites'."""
    _forget_machines()
    try:
        for net, prefix in (("db", DATABASE_NET), ("web", SITES_NET)):
            cable("link", "add", f"{net}-hub", "type", "bridge")
            cable("addr", "add", f"{prefix}.{HUB}/24", "dev", f"{net}-hub")
            cable("link", "set", f"{net}-hub", "up")
        for number, name in ((1, "one"), (2, "two")):
            cable("netns", "add", name)
            cable("-n", name, "link", "set", "lo", "up")
            for net, prefix in (("db", DATABASE_NET), ("web", SITES_NET)):
                cable("link", "add", f"{net}-{name}", "type", "veth", "peer", "name", net, "netns", name)
                cable("link", "set", f"{net}-{name}", "master", f"{net}-hub", "up")
                cable("-n", name, "addr", "add", f"{prefix}.{number}/24", "dev", net)
                cable("-n", name, "link", "set", net, "up")
        yield
    finally:
        _forget_machines()


def _forget_machines() -> None:
    for words in (
        ("netns", "del", "one"),
        ("netns", "del", "two"),
        ("link", "del", "db-hub"),
        ("link", "del", "web-hub"),
    ):
        subprocess.run(["ip", *words], check=False, stderr=subprocess.DEVNULL)


def cable(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def within(name: str) -> tuple[str, ...]:
    """Return what runs a command on a machine, with process numbers of its own."""
    return ("ip", "netns", "exec", name, "unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


def forwarder(name: str, ports: list[int]) -> subprocess.Popen[bytes]:
    """Let each site be reached on the machine's own loopback address, at the same port."""
    command = [sys.executable, "-m", "benchmarks.engine_outages", "forward", *map(str, ports)]
    return subprocess.Popen(["ip", "netns", "exec", name, *command], cwd=ROOT)


async def forward(ports: list[int]) -> None:
    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while read := await reader.read(65536):
                writer.write(read)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = writer.get_extra_info("sockname")[1]
        try:
            onward = await asyncio.open_connection(f"{SITES_NET}.{HUB}", port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pump(reader, onward[1]), pump(onward[0], writer))

    servers = [await asyncio.start_server(serve, "127.0.0.1", port) for port in ports]
    await asyncio.gather(*(server.serve_forever() for server in servers))


@contextlib.contextmanager
def small_disk(size_mb: int) -> Iterator[Path]:
    """Give a disk of its own of so many megabytes."""
    folder = Path(tempfile.mkdtemp(prefix="disk", dir="/var/tmp"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mb}m,mode=755", "none", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=False)
        folder.rmdir()
