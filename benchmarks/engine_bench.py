"""A workspace with one site on loopback, for benchmarks that end its workers: started, called, looked at.

`python -m benchmarks.engine_bench LOG PAGES` serves the site: a tree of pages about model trains.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from benchmarks.crowd import children

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import Engine

DELAY_S, PER_HOST = 0.005, 4
SLOWEST_ANSWER_S = 0.04
CHILDREN = 8
"""Links of a page to pages below it."""
MATCHES_EVERY = 7
PHRASE = "brass turntable"
# fmt: off
WORDS = (
    "signal", "points", "siding", "gauge", "tender", "boiler", "coupling", "platform", "viaduct",
    "tunnel", "carriage", "wagon", "buffer", "sleeper", "ballast", "rail", "curve", "branch", "depot",
    "whistle", "steam", "diesel", "electric", "decoder", "controller", "track", "plaster", "resin",
    "paint", "varnish", "glue", "magnet", "motor", "flywheel", "gear", "axle", "bogie", "pantograph",
    "catenary", "station", "clock", "lamp", "bridge", "embankment", "meadow", "village", "church",
    "timetable", "express", "freight", "shunting", "yard", "crane", "water", "tower", "coal", "fine",
    "small", "narrow", "old", "green", "red", "black", "weathered", "printed", "soldered", "glued",
    "measured", "cut", "sanded", "built", "sold",
)
# fmt: on
STALLED_S = 120.0
LEADLINE = [sys.executable, "-m", "desk.cli", "--json"]

# ---- the site


def write_page(number: int, pages: int) -> bytes:
    """Give a page about model trains, the same bytes for the same number; each has words of its own."""
    words = random.Random(number)
    below = range(CHILDREN * number + 1, min(CHILDREN * number + CHILDREN + 1, pages))
    links = "".join(f'<li><a href="/t/{one}">Layout {one}</a></li>' for one in below)
    matched = f"<p>Here is the {PHRASE} of layout {number}.</p>" if number % MATCHES_EVERY == 0 else ""
    text = "".join(f"<p>{' '.join(words.choices(WORDS, k=60))}.</p>" for _ in range(5))
    title = f"<title>Layout {number}</title>"
    return f'<!DOCTYPE html><html lang="en">{title}{text}{matched}<ul>{links}</ul></html>'.encode()


async def serve(pages: int, log: Path) -> None:
    """Print the port and serve; each request is a line in the log: time, who asked, path."""
    lines = log.open("a", buffering=1)
    shake = random.Random(1)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                path = head.split(" ", 2)[1]
                asked = [line for line in head.splitlines() if line.lower().startswith("user-agent:")]
                lines.write(f"{time.time():.6f}\t{asked[0][12:].strip()}\t{path}\n")
                await asyncio.sleep(shake.uniform(0, SLOWEST_ANSWER_S))
                number = int(path[3:]) if path.startswith("/t/") and path[3:].isdigit() else pages
                found = number < pages
                body = write_page(number, pages) if found else b"<!DOCTYPE html><title>None</title>"
                status = "200 OK" if found else "404 Not Found"
                kind = f"Content-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}"
                writer.write(f"HTTP/1.1 {status}\r\n{kind}\r\n\r\n".encode() + body)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print("port", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One request as the server saw it."""

    at_s: float
    agent: str
    path: str


# ---- the bench


@dataclass(slots=True)
class Bench:
    """A workspace with one confirmed lead, the site's log, and a connection to look from outside."""

    folder: Path
    pages: int
    log: Path
    engine: Engine
    is_shared: bool
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)
    seen: list[Hit] = field(default_factory=list)
    read_bytes: int = 0

    def environment(self, agent: str) -> dict[str, str]:
        """Return the settings of a process; `agent` tells processes apart, at the server and in records."""
        return os.environ | {
            "LEADLINE_WORKSPACE": str(self.folder / "workspace"),
            "LEADLINE_USER": "ada",
            "LEADLINE_NETWORK__USER_AGENT": agent,
            "LEADLINE_CRAWL__DELAY_SECONDS": str(DELAY_S),
            "LEADLINE_CRAWL__PER_HOST": str(PER_HOST),
            "LEADLINE_CRAWL__PAGES_PER_LEAD": str(2 * self.pages),
        }

    def leadline(self, *words: str) -> list[dict[str, Any]]:
        """Run a command to its end and return what it printed."""
        done = subprocess.run(
            [*LEADLINE, *words],
            env=self.environment("desk"),
            input=b"Bread-and-Butter-1\n",
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"leadline {words[0]} ended with {done.returncode}: {done.stderr.decode()}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def start_worker(self, agent: str = "first") -> subprocess.Popen[bytes]:
        """Start a worker as a process of its own."""
        with (self.folder / f"{agent}.err").open("ab") as told:
            self.started.append(
                subprocess.Popen(
                    [*LEADLINE, "worker"],
                    env=self.environment(agent),
                    stdout=told,
                    stderr=told,
                    start_new_session=True,
                )
            )
        return self.started[-1]

    def call(self) -> None:
        """Have a person call for a crawl, who leaves with Ctrl-C once the worker is at it."""
        wait_for(lambda: b"is at work" in (self.folder / "first.err").read_bytes(), "the worker")
        with (self.folder / "crawl.err").open("ab") as told:
            person = subprocess.Popen(
                [*LEADLINE, "crawl"], env=self.environment("person"), stdout=told, stderr=told
            )
        wait_for(lambda: len(self.hits()) > 0, "the first request")
        person.send_signal(signal.SIGINT)
        person.wait(10)

    def hits(self) -> list[Hit]:
        """Return the requests for pages so far; robots.txt and what a site is measured by are none."""
        with self.log.open("rb") as log:
            log.seek(self.read_bytes)
            for line in log:
                if not line.endswith(b"\n"):
                    break
                self.read_bytes += len(line)
                at_s, agent, path = line.decode().split()
                if path.startswith("/t/") and path[3:].isdigit() and int(path[3:]) < self.pages:
                    self.seen.append(Hit(at_s=float(at_s), agent=agent, path=path))
        return self.seen

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the case log."""
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(query)]

    def recorded(self) -> int:
        """Return how many pages are recorded."""
        return int(self.ask("SELECT count(*) FROM pages")[0][0])

    def is_over(self) -> bool:
        """Tell whether no site of any call is open."""
        return not self.ask("SELECT 1 FROM call_sites WHERE is_open")

    def leftovers(self) -> list[str]:
        """Return the processes of this workspace that live."""
        mine, found = f"LEADLINE_WORKSPACE={self.folder}/".encode(), []
        for one in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if one.name.isdigit() and mine in (one / "environ").read_bytes():
                    found.append((one / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        return found


@contextmanager
def bench(database: str, server: str | None, pages: int) -> Iterator[Bench]:
    """Give a workspace with a served site; all that was started ends with it."""
    with tempfile.TemporaryDirectory(prefix="kill") as name:
        folder = Path(name)
        log = folder / "hits"
        command = [sys.executable, "-m", "benchmarks.engine_bench", str(log), str(pages)]
        site = subprocess.Popen(command, stdout=subprocess.PIPE)
        url = f"sqlite:///{folder}/workspace/casebook.db"
        if server is not None:
            url = _new_database(server, f"bench{time.monotonic_ns()}")
        options = {"isolation_level": "AUTOCOMMIT"} if server else {"connect_args": {"timeout": 60}}
        made = Bench(folder, pages, log, sa.create_engine(url, **options), database == "postgresql")
        try:
            port = int(site.stdout.readline().split()[-1]) if site.stdout else 0
            (folder / "terms.csv").write_text(f"id,term,weight,kind\nt1,{PHRASE},1,phrase\n")
            made.leadline("init", "--practice", *(["--database", url] if server else []))
            made.leadline("users", "add", "ada", "--role", "supervisor", "--password-stdin")
            made.leadline("terms", "import", f"{folder}/terms.csv")
            (folder / "leads.csv").write_text(f"url,report\nhttp://127.0.0.1:{port}/t/0,R-1\n")
            made.leadline("leads", "add", f"{folder}/leads.csv", "--source", "bench", "--confirm")
            yield made
        finally:
            for process in (*made.started, site):
                crawler = crawler_of(process)
                if crawler is not None:
                    os.kill(crawler, signal.SIGKILL)  # a frozen one would never see that its worker is gone
                process.kill()
                process.wait()
            made.engine.dispose()


def _new_database(server: str, name: str) -> str:
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def crawler_of(worker: subprocess.Popen[bytes]) -> int | None:
    """Return the number of a worker's crawler process."""
    for pid in children(worker.pid):
        with contextlib.suppress(OSError):
            if b"crawler.child" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
    return None


def state_of(pid: int) -> str:
    """Return the letter of a process's state, X when there is none (proc(5))."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def is_alive(pid: int) -> bool:
    """Tell whether a process lives."""
    return state_of(pid) not in {"Z", "X"}


def wait_for(is_so: Callable[[], Any], what: str, longest_s: float = STALLED_S) -> None:
    """Wait until something is so."""
    ends_s = time.monotonic() + longest_s
    while not is_so():
        if time.monotonic() > ends_s:
            raise SystemExit(f"waited {longest_s:.0f} s in vain for {what}")
        time.sleep(0.01)


def verdict(made: Bench) -> dict[str, Any]:
    """Return what came of a crawl that is over: what is lost, twice, asked again."""
    rows = made.leadline("pages", "list", "--reveal", "--reason", "benchmark")
    paths = Counter("/" + row["url"].split("/", 3)[3] for row in rows if "url" in row)
    wanted = {f"/t/{number}" for number in range(made.pages)}
    asked = Counter(hit.path for hit in made.hits())
    items = made.ask("SELECT page_id FROM evidence")
    bare = {row["id"] for row in rows} - {page for (page,) in items}
    silent = [
        row for row in rows if row["id"] in bare and int(row["url"].split("/t/")[1]) % MATCHES_EVERY == 0
    ]
    verified = subprocess.run(
        [*LEADLINE, "ledger", "verify"], env=made.environment("desk"), capture_output=True, check=False
    )
    return {
        "pages": made.pages,
        "recorded": paths.total(),
        "lost": len(wanted - paths.keys()),
        "twice": sum(count - 1 for count in paths.values()),
        "strange": len(paths.keys() - wanted),
        "evidence_lost": len(range(0, made.pages, MATCHES_EVERY)) - len(items),
        "evidence_twice": len(items) - len(set(items)),
        "silent": [{k: v for k, v in row.items() if k != "url"} for row in silent],
        "outcomes": dict(made.ask("SELECT outcome, count(*) FROM pages GROUP BY outcome")),
        "frontier": dict(made.ask("SELECT state, count(*) FROM frontier GROUP BY state")),
        "refetched": sum(count - 1 for count in asked.values()),
        "ledger_ok": verified.returncode == 0,
    }


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[2]), Path(sys.argv[1])))
