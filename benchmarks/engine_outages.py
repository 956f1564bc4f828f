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
import json
import re
import shutil
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from benchmarks.outage_parts import (
    DATABASE_NET,
    HUB,
    SITES_NET,
    Hit,
    Postgres,
    Program,
    Sites,
    cable,
    forward,
    forwarder,
    leadline,
    politeness,
    prepare,
    small_disk,
    two_machines,
    wait_until,
    within,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OUTAGE_S, FULL_S = 60.0, 25.0
ON_SQLITE = ("sqlite", "alone")
VALUES = re.compile(
    r"127\.0\.0\.1|10\.77\.|https?://|SELECT |INSERT |UPDATE |/loaf|Traceback|File \"", re.IGNORECASE
)
"""Must stand in no worker's log."""


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
        forwarders = [forwarder(name, sites.ports) for name in ("one", "two")]
        try:
            database.start()
            prepare(run, run / "one", sites, {"hosts_at_once": 4}, database.url)
            (run / "two").mkdir()
            for name in ("leadline.toml", "keys.json"):
                shutil.copy2(run / "one" / name, run / "two" / name)
            workers = [
                leadline(run, f"worker-{name}", run / name, "worker", within=within(name))
                for name in ("one", "two")
            ]
            started += workers
            wait_until(lambda: all("is at work" in one.err for one in workers), 60)
            began_s = time.monotonic()
            follower = leadline(run, "follower", run / "one", "crawl")
            started.append(follower)
            time.sleep(20)
            cut_s = time.monotonic()
            cable("link", "set", "db-two", "nomaster")
            time.sleep(OUTAGE_S)
            cable("link", "set", "db-two", "master", "db-hub")
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


def stopped(run: Path) -> dict[str, Any]:
    """Stop PostgreSQL for a minute under two workers, then again, and stop one of them while it is away."""
    home = Path(tempfile.mkdtemp(prefix="pg", dir="/var/tmp"))
    database = Postgres(home, "127.0.0.1")
    started: list[Program] = []
    with Sites("127.0.0.1", 100, 20) as sites:
        try:
            database.start()
            prepare(run, run / "work", sites, {"hosts_at_once": 4}, database.url)
            workers = [leadline(run, f"worker-{name}", run / "work", "worker") for name in ("a", "b")]
            started += workers
            wait_until(lambda: all("is at work" in one.err for one in workers), 60)
            follower = leadline(run, "follower", run / "work", "crawl")
            started.append(follower)
            wait_until(lambda: len(sites.hits) > 300)
            outage = _outage(database, OUTAGE_S, sites)
            wait_until(lambda: len(sites.hits) > 1000 or follower.popen.poll() is not None)
            database.stop()
            time.sleep(8)
            ended_s = workers[0].terminate()
            time.sleep(4)
            database.start()
            is_done = wait_until(lambda: follower.popen.poll() is not None)
            stops = workers[1].terminate()
            found = verdict(run, run / "work", database.url, sites, started)
            return {
                "scenario": "stopped",
                "is_done": is_done,
                "follower_exit": follower.popen.returncode,
                "outage": outage,
                "stopped_while_away_s": ended_s,
                "exit_while_away": workers[0].popen.returncode,
                "stopped_in_s": stops,
                "recorded_by_b": workers[1].summary,
                **found,
            }
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
    known = {hit.port for hit in sites.hits}
    database.start()
    wait_until(lambda: len(sites.hits) > before + 5, 180)
    on_s = time.monotonic()
    wait_until(lambda: {hit.port for hit in sites.hits} - known, 180)
    return {
        "hits_while_away": len(away),
        "last_after_s": round(max(away, default=0.0), 1),
        "goes_on_after_s": round(on_s - back_s, 1),
        "next_job_after_s": round(time.monotonic() - back_s, 1),
    }


def full(run: Path, *, on: str) -> dict[str, Any]:
    """Fill a disk for half a minute in mid-run: of a workspace on SQLite, of PostgreSQL, or of its log.

    With `alone` there is no worker, and `leadline crawl` becomes it. Many small sites, so that jobs begin and
    end meanwhile. The server is started again as a service manager would do it.
    """
    started: list[Program] = []
    restarts = 0
    with small_disk(48 if on in ON_SQLITE else 160) as disk, Sites("127.0.0.1", 100, 12) as sites:
        work = (disk if on in ON_SQLITE else run) / "work"
        database = None if on in ON_SQLITE else Postgres(disk / "pg", "127.0.0.1")
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
            if on != "alone":
                started.append(leadline(run, "worker", work, "worker"))
                wait_until(lambda: "is at work" in started[0].err, 60)
            follower = leadline(run, "follower", work, "crawl")
            started.append(follower)
            wait_until(lambda: len(sites.hits) > 200)
            outage = _ballast(disk, sites, lambda: (press(), keep_up()), keep_up)
            is_done = wait_until(lambda: keep_up() or follower.popen.poll() is not None)
            stops = [one.terminate() for one in started if one is not follower]
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


def _end(started: list[Program]) -> None:
    for one in started:
        if one.popen.poll() is None:
            one.popen.kill()
            one.popen.wait()


SCENARIOS = {
    "machines": machines,
    "stopped": stopped,
    "full-sqlite": partial(full, on="sqlite"),
    "full-alone": partial(full, on="alone"),
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
