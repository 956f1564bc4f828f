"""Outages judged from outside: a machine cut off, a database stopped, a disk full, each in mid-crawl.

`python -m benchmarks.engine_outages SCENARIO`; needs root, and
PostgreSQL's server programs. What counts is the sites' own log of hits, SQL on the case log, the ledger's
check, and what the workers said. Prints one JSON line of figures and keeps the logs of the run in a folder
that it names.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from functools import cache, partial
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
OUTAGE_S, FULL_S = 60.0, 25.0
LIMIT_S = 900.0
DATABASE_NET, SITES_NET = "10.77.1", "10.77.2"
HUB = 254
VALUES = re.compile(
    r"127\.0\.0\.1|10\.77\.|https?://|SELECT |INSERT |UPDATE |/loaf|Traceback|File \"", re.IGNORECASE
)
"""Must stand in no worker's log."""


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


# ---- the verdict


def verdict(
    run: Path, workspace: Path, database: str, sites: Sites, programs_: list[Program]
) -> dict[str, Any]:
    """Look at the case log, the ledger, the hits, and what the processes said."""
    engine = sa.create_engine(database)
    with engine.connect() as connection:

        def one(query: str) -> int:
            return int(connection.execute(sa.text(query)).scalar_one())

        groups = "SELECT count(*) FROM (SELECT 1 FROM {} GROUP BY {} HAVING count(*) > 1) AS x"
        good = one("SELECT count(*) FROM pages WHERE status = 200")
        found = {
            "expected": sites.count * sites.pages,
            "recorded": good,
            "lost": sites.count * sites.pages
            - one(
                "SELECT count(*) FROM (SELECT DISTINCT site_id, url_id FROM pages WHERE status = 200) AS x"
            ),
            "twice": one(groups.format("pages WHERE error IS NULL", "site_id, url_id, round")),
            "error_pages": one("SELECT count(*) FROM pages WHERE error IS NOT NULL"),
            "pending": one("SELECT count(*) FROM frontier WHERE state = 'pending'"),
            "evidence": one("SELECT count(*) FROM evidence"),
            "evidence_twice": one(groups.format("evidence", "site_id")),
        }
    engine.dispose()
    (run / "hits.json").write_text(json.dumps([asdict(hit) for hit in sites.hits]))
    check = leadline(run, "verify", workspace, "ledger", "verify")
    again = Counter((hit.port, hit.path) for hit in sites.hits if hit.path != "/robots.txt")
    lines = Counter(said for one in programs_ for said in said_by(one))
    values = [line for one in programs_ for line in one.err.splitlines() if VALUES.search(line)]
    return {
        **found,
        "ledger_verify": check.popen.wait(),
        "asked_again": sum(count - 1 for count in again.values()),
        **politeness(sites.hits),
        "lines_with_values": values[:5],
        "said": dict(lines.most_common(20)),
        "logs": str(run),
    }


def said_by(program: Program) -> Iterator[str]:
    for line in program.err.splitlines():
        yield re.sub(r"^[\d-]+ [\d:,]+ ", "", line)[:160]


# ---- scenarios


def machines(run: Path) -> dict[str, Any]:
    """Run two machines with addresses of their own, and cut one off from the database for a minute."""
    with two_machines(), Sites(f"{SITES_NET}.{HUB}", 30, 200) as sites:
        home = Path(tempfile.mkdtemp(prefix="pg", dir="/var/tmp"))
        database = Postgres(home, f"{DATABASE_NET}.{HUB}", allowed=f"{DATABASE_NET}.0/24")
        started: list[Program] = []
        forwarders = [_forward(name, sites.ports) for name in ("one", "two")]
        try:
            database.start()
            prepare(run, run / "one", sites, {"hosts_at_once": 4}, database.url)
            (run / "two").mkdir()
            for name in ("leadline.toml", "keys.json"):
                shutil.copy2(run / "one" / name, run / "two" / name)
            workers = [
                leadline(run, f"worker-{name}", run / name, "worker", within=_within(name))
                for name in ("one", "two")
            ]
            started += workers
            wait_until(lambda: all("is at work" in one.err for one in workers), 60)
            began_s = time.monotonic()
            follower = leadline(run, "follower", run / "one", "crawl")
            started.append(follower)
            time.sleep(20)
            cut_s = time.monotonic()
            _ip("link", "set", "db-two", "nomaster")
            time.sleep(OUTAGE_S)
            _ip("link", "set", "db-two", "master", "db-hub")
            back_s = time.monotonic()
            (run / "times.json").write_text(json.dumps([began_s, cut_s, back_s]))
            is_done = wait_until(lambda: follower.popen.poll() is not None)
            took_s = time.monotonic() - began_s
            stopped = [one.terminate() for one in workers]
            found = verdict(run, run / "one", database.url, sites, started)
            return {
                "scenario": "machines", "is_done": is_done, "seconds": round(took_s, 1),
                "follower_exit": follower.popen.returncode, "stopped_in_s": stopped,
                "recorded_by": [one.summary for one in workers],
                **_around(sites.hits, began_s, cut_s, back_s), **found,
            }  # fmt: skip
        finally:
            _end(started)
            for one in forwarders:
                one.kill()
            database.stop("immediate")
            shutil.copy(home / "log", run / "postgresql.log")
            shutil.rmtree(home, ignore_errors=True)


def _around(hits: list[Hit], began_s: float, cut_s: float, back_s: float) -> dict[str, Any]:
    """Say what each machine asked before, while and after the second was cut off."""
    found: dict[str, Any] = {}
    for name, number in (("one", 1), ("two", 2)):
        own = [hit.at_s for hit in hits if hit.machine == f"{SITES_NET}.{number}"]
        found[f"hits_of_{name}"] = {
            "before": sum(began_s <= at_s < cut_s for at_s in own),
            "while": sum(cut_s <= at_s < back_s for at_s in own),
            "after": sum(at_s >= back_s for at_s in own),
        }
    two = [hit.at_s for hit in hits if hit.machine == f"{SITES_NET}.2"]
    found["cut_off_asked_on_for_s"] = round(max((at for at in two if at < back_s), default=cut_s) - cut_s, 1)
    later = [at_s - back_s for at_s in two if at_s >= back_s]
    found["asks_again_after_s"] = round(min(later), 1) if later else None
    return found


@contextlib.contextmanager
def two_machines() -> Iterator[None]:
    """Make two network namespaces, each with a cable to the database's net and one to the sites'."""
    _forget_machines()
    try:
        for net, prefix in (("db", DATABASE_NET), ("web", SITES_NET)):
            _ip("link", "add", f"{net}-hub", "type", "bridge")
            _ip("addr", "add", f"{prefix}.{HUB}/24", "dev", f"{net}-hub")
            _ip("link", "set", f"{net}-hub", "up")
        for number, name in ((1, "one"), (2, "two")):
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
            for net, prefix in (("db", DATABASE_NET), ("web", SITES_NET)):
                _ip("link", "add", f"{net}-{name}", "type", "veth", "peer", "name", net, "netns", name)
                _ip("link", "set", f"{net}-{name}", "master", f"{net}-hub", "up")
                _ip("-n", name, "addr", "add", f"{prefix}.{number}/24", "dev", net)
                _ip("-n", name, "link", "set", net, "up")
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


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def _within(name: str) -> tuple[str, ...]:
    """Return what runs a command on a machine, with process numbers of its own."""
    return ("ip", "netns", "exec", name, "unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


def _forward(name: str, ports: list[int]) -> subprocess.Popen[bytes]:
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


def stopped(run: Path) -> dict[str, Any]:
    """Stop PostgreSQL for a minute in mid-run, then again, and stop a worker while it is away."""
    home = Path(tempfile.mkdtemp(prefix="pg", dir="/var/tmp"))
    database = Postgres(home, "127.0.0.1")
    started: list[Program] = []
    with Sites("127.0.0.1", 30, 60) as sites:
        try:
            database.start()
            prepare(run, run / "work", sites, {"hosts_at_once": 8}, database.url)
            worker = leadline(run, "worker", run / "work", "worker")
            started.append(worker)
            wait_until(lambda: "is at work" in worker.err, 60)
            follower = leadline(run, "follower", run / "work", "crawl")
            started.append(follower)
            wait_until(lambda: len(sites.hits) > 300)
            outages = [_outage(database, OUTAGE_S, sites)]
            wait_until(lambda: len(sites.hits) > 700 or follower.popen.poll() is not None)
            database.stop()
            time.sleep(8)
            ended_s = worker.terminate()
            time.sleep(4)
            back_s = time.monotonic()
            database.start()
            second = leadline(run, "worker-2", run / "work", "worker")
            started.append(second)
            is_done = wait_until(lambda: follower.popen.poll() is not None)
            outages.append({"after_s": round(time.monotonic() - back_s, 1)})
            stops = second.terminate()
            found = verdict(run, run / "work", database.url, sites, started)
            return {
                "scenario": "stopped", "is_done": is_done, "follower_exit": follower.popen.returncode,
                "outages": outages, "stopped_while_away_s": ended_s,
                "exit_while_away": worker.popen.returncode, "stopped_in_s": stops, **found,
            }  # fmt: skip
        finally:
            _end(started)
            database.stop("immediate")
            shutil.copy(home / "log", run / "postgresql.log")
            shutil.rmtree(home, ignore_errors=True)


def _outage(database: Postgres, lasts_s: float, sites: Sites) -> dict[str, Any]:
    """Stop the server, start it again later, and say how soon the sites were asked less, and again."""
    gone_s = time.monotonic()
    database.stop()
    time.sleep(lasts_s)
    away = [hit.at_s - gone_s for hit in sites.hits if hit.at_s >= gone_s]
    back_s, before = time.monotonic(), len(sites.hits)
    database.start()
    wait_until(lambda: len(sites.hits) > before + 5, 120)
    return {
        "hits_while_away": len(away),
        "last_after_s": round(max(away, default=0.0), 1),
        "goes_on_after_s": round(time.monotonic() - back_s, 1),
    }


def full(run: Path, *, on: str) -> dict[str, Any]:
    """Fill a disk for half a minute in mid-run: of a workspace on SQLite, of PostgreSQL, or of its log.

    Many small sites, so that jobs begin and end meanwhile. The server is started again as a service manager
    would do it.
    """
    started: list[Program] = []
    restarts = 0
    with small_disk(48 if on == "sqlite" else 160) as disk, Sites("127.0.0.1", 100, 12) as sites:
        work = (disk if on == "sqlite" else run) / "work"
        database = None if on == "sqlite" else Postgres(disk / "pg", "127.0.0.1")
        url = database.url if database else f"sqlite:///{work}/casebook.db"

        def press() -> None:
            if database and on == "wal":
                database.write_log()

        def keep_up() -> bool:
            nonlocal restarts
            if database and not database.is_up():
                restarts += 1
                database.start()
            return False

        try:
            keep_up()
            prepare(run, work, sites, {"hosts_at_once": 4}, database.url if database else "")
            worker = leadline(run, "worker", work, "worker")
            started.append(worker)
            wait_until(lambda: "is at work" in worker.err, 60)
            follower = leadline(run, "follower", work, "crawl")
            started.append(follower)
            wait_until(lambda: len(sites.hits) > 200)
            outage = _ballast(disk, sites, lambda: (press(), keep_up()), keep_up)
            is_done = wait_until(lambda: keep_up() or follower.popen.poll() is not None)
            stops = worker.terminate()
            found = verdict(run, work, url, sites, started)
            return {
                "scenario": f"full-{on}",
                "is_done": is_done,
                "follower_exit": follower.popen.returncode,
                "outage": outage,
                "server_started_again": max(0, restarts - 1),
                "stopped_in_s": stops,
                **found,
            }
        finally:
            _end(started)
            if database:
                database.stop("immediate")
                shutil.copy(disk / "pg" / "log", run / "postgresql.log")


def _ballast(
    disk: Path, sites: Sites, each: Callable[[], object], later: Callable[[], bool]
) -> dict[str, Any]:
    """Fill the disk to the last byte, again and again while it lasts, then free it."""
    full_s = time.monotonic()
    with (disk / "ballast").open("ab", buffering=0) as file:
        while time.monotonic() < full_s + FULL_S:
            for size in (1 << 20, 4096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(bytes(size))
            each()
            time.sleep(0.5)
    away = [hit.at_s - full_s for hit in sites.hits if hit.at_s >= full_s]
    (disk / "ballast").unlink()
    back_s, before = time.monotonic(), len(sites.hits)
    wait_until(lambda: later() or len(sites.hits) > before + 5, 120)
    return {
        "hits_while_full": len(away),
        "last_after_s": round(max(away, default=0.0), 1),
        "goes_on_after_s": round(time.monotonic() - back_s, 1),
    }


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


def _end(started: list[Program]) -> None:
    for one in started:
        if one.popen.poll() is None:
            one.popen.kill()
            one.popen.wait()


SCENARIOS = {
    "machines": machines,
    "stopped": stopped,
    "full-sqlite": partial(full, on="sqlite"),
    "full-postgresql": partial(full, on="postgresql"),
    "full-wal": partial(full, on="wal"),
}


def main() -> None:
    """Run one scenario and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", choices=[*SCENARIOS, "forward"])
    parser.add_argument("ports", nargs="*", type=int)
    asked = parser.parse_args()
    if asked.scenario == "forward":
        asyncio.run(forward(asked.ports))
        return
    run = Path(tempfile.mkdtemp(prefix=f"outage-{asked.scenario}-", dir="/var/tmp"))
    print(json.dumps(SCENARIOS[asked.scenario](run)), flush=True)


if __name__ == "__main__":
    main()
