"""Kill and freeze workers in the middle of a crawl, and count what was lost, done twice or written too late.

`python -m benchmarks.engine_kill --database sqlite|postgresql [--kills N] [--pages N]` runs `leadline worker`
as a service would, started anew at once after each death, over one site on loopback, and kills the worker or
its crawler process with SIGKILL at random moments of the crawl. With `--twin` it freezes both with SIGSTOP
instead, between two transactions and inside one, lets a second worker finish, and wakes the first.

All is judged from outside: by the log of the web server, which is a process of its own, by `leadline` itself,
and by SQL on the case log. Prints one JSON object a line and run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from benchmarks.engine_bench import (
    PER_HOST,
    Bench,
    Hit,
    bench,
    crawler_of,
    is_alive,
    state_of,
    verdict,
    wait_for,
)
from tests.servers.postgresql import postgresql_server

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
LONGEST_START_S = 4.0
AWAKE_S = 20.0
"""How long a woken twin is watched."""


# ---- kill


@dataclass(slots=True)
class Killer:
    """Kills a worker or its crawler process, and starts the worker anew at once."""

    made: Bench
    chance: random.Random
    worker: subprocess.Popen[bytes]
    counts: Counter[str] = field(default_factory=Counter)
    wasted: list[int] = field(default_factory=list)
    """Requests so far whose answers were not recorded, after each kill."""

    def wait_until(self, moment: int) -> None:
        """Wait until so many pages were asked for, and a little more.

        What was reached before the last kill is over by now: then the start is hit, or the first new request.
        """
        reached, ends_s = self.progress(), time.monotonic() + self.chance.uniform(0, LONGEST_START_S)
        if reached >= moment:
            wait_for(lambda: self.progress() > reached or time.monotonic() > ends_s, "a start")
        else:
            wait_for(lambda: self.progress() >= moment, f"page {moment}")
        time.sleep(self.chance.uniform(0, 0.05))

    def strike(self) -> None:
        """Kill one of the two with the pieces of work that it has in hand."""
        if self.made.is_over():
            raise SystemExit("the crawl was over before the last kill")
        crawler = crawler_of(self.worker)
        self.counts["while starting"] += crawler is None
        if crawler is not None and self.chance.random() < 0.5:
            self.counts["crawler"] += 1
            os.kill(crawler, signal.SIGKILL)
        else:
            self.counts["worker"] += 1
            self.worker.kill()
            self.worker.wait()
        if crawler is not None:
            wait_for(lambda: not is_alive(crawler), "the end of the crawler process", 10)
        time.sleep(0.05)  # the server may still read what they sent
        self.wasted.append(len(self.made.hits()) - self.made.recorded())
        self.keep_up()

    def keep_up(self) -> None:
        """Start the worker anew when it is gone, as a service manager does."""
        if self.worker.poll() is None:
            return
        if self.worker.returncode != -signal.SIGKILL:
            self.counts[f"ended by itself with {self.worker.returncode}"] += 1
        self.worker = self.made.start_worker()

    def progress(self) -> int:
        """Return how many different pages were asked for."""
        self.keep_up()
        return len({hit.path for hit in self.made.hits()})


def kill_run(made: Bench, kills: int, seed: int) -> dict[str, Any]:
    """Make one run with kills at random moments."""
    chance = random.Random(seed)
    killer = Killer(made, chance, made.start_worker())
    made.call()
    began_s = time.monotonic()
    for moment in sorted(chance.sample(range(1, int(0.97 * made.pages)), kills)):
        killer.wait_until(moment)
        killer.strike()
    wait_for(lambda: killer.progress() >= made.pages and made.is_over(), "the end of the crawl")
    took_s = time.monotonic() - began_s
    killer.worker.terminate()
    status = killer.worker.wait(10)
    steps = [after - before for before, after in zip([0, *killer.wasted], killer.wasted, strict=False)]
    return {
        "kills": len(killer.wasted),
        "of": dict(killer.counts),
        **verdict(made),
        "bound": PER_HOST * len(killer.wasted),
        "most_in_flight": max(steps),
        "seconds": round(took_s, 1),
        "stopped_with": status,
        "leftovers": made.leftovers(),
    }


# ---- freeze


@contextmanager
def stopped(*pids: int) -> Iterator[Callable[[], None]]:
    """Stop processes; they go on after the block unless the given function was called."""
    keeps: list[bool] = []
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: {state_of(pid) for pid in pids} <= set("T"), "frozen processes")
    try:
        yield lambda: keeps.append(True)
    finally:
        if not keeps:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)


def _is_write_free(made: Bench) -> bool:
    """Tell whether nobody is inside a transaction that writes."""
    if made.is_shared:
        found = "SELECT 1 FROM pg_locks JOIN pg_class ON pg_class.oid = relation WHERE granted"
        mode = "mode IN ('RowShareLock', 'RowExclusiveLock')"
        return not made.ask(f"{found} AND {mode} AND relname IN ('site_slots', 'frontier', 'pages', 'holds')")
    other = sa.create_engine(made.engine.url, connect_args={"timeout": 0})
    try:
        with other.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            connection.exec_driver_sql("ROLLBACK")
    except OperationalError:
        return False
    finally:
        other.dispose()
    return True


def freeze(made: Bench, pids: tuple[int, ...], *, is_free: bool) -> None:
    """Freeze processes when nobody, or one of them, is inside a transaction."""
    chance = random.Random(1)
    for _ in range(5000):
        with stopped(*pids) as keep:
            # A server may still be at work on what it was sent.
            if made.is_shared:
                time.sleep(0.02)
            if _is_write_free(made) is is_free and not made.is_over():
                keep()
                return
        time.sleep(chance.uniform(0.001, 0.02))
    raise SystemExit("never met the moment")


def freeze_waiting(made: Bench, pids: tuple[int, ...]) -> None:
    """Freeze processes while a transaction of theirs waits for a lock that we have; let the lock go."""
    with made.engine.connect() as connection:
        if not made.is_shared:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            asked = len(made.hits())
            time.sleep(1.0)  # by now all that was asked waits to be recorded
            if len(made.hits()) - asked > PER_HOST:
                raise SystemExit("somebody goes on in spite of the lock")
        else:
            connection.exec_driver_sql("BEGIN")
            connection.exec_driver_sql("LOCK TABLE pages IN SHARE MODE")
            waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE %s"
            with made.engine.connect() as other:
                wait_for(
                    lambda: other.exec_driver_sql(waits, ("INSERT INTO pages%",)).first(), "a transaction"
                )
        with stopped(*pids) as keep:
            keep()
        connection.exec_driver_sql("ROLLBACK")
    if made.is_shared:
        state = "SELECT 1 FROM pg_stat_activity WHERE state = 'idle in transaction'"
        wait_for(lambda: made.ask(f"{state} AND datname = current_database()"), "a frozen transaction", 5)


def snapshot(made: Bench) -> dict[str, Any]:
    """Return all that a late twin could write to."""
    tables = {
        "pages": "id, config_sha256",
        "evidence": "id, page_id",
        "entries": "id, kind, record_id",
        "frontier": "id, state, attempts, due_at, round",
        "site_slots": "*",
        "call_sites": "*",
    }
    return {
        name: sorted(made.ask(f"SELECT {columns} FROM {name}"), key=repr) for name, columns in tables.items()
    }


FREEZES: dict[str, Callable[[Bench, tuple[int, ...]], None]] = {
    "between": lambda made, pids: freeze(made, pids, is_free=True),
    "inside": lambda made, pids: freeze(made, pids, is_free=False),
    "waiting": freeze_waiting,
}


def twin_run(
    made: Bench, moment: str, *, frozen: str, wakes_early: bool, successor_after_s: float
) -> dict[str, Any]:
    """Freeze a worker and its crawler process, let a second one finish, wake the first."""
    first = made.start_worker("first")
    made.call()
    wait_for(lambda: len(made.hits()) > made.pages // 4, "a quarter of the pages")
    crawler = crawler_of(first) or 0
    pids = {"both": (first.pid, crawler), "worker": (first.pid,), "crawler": (crawler,)}[frozen]
    FREEZES[moment](made, pids)
    froze_s, before = time.time(), len(made.hits())
    time.sleep(successor_after_s)
    second = made.start_worker("second") if frozen != "crawler" else first

    def taken() -> list[Hit]:
        return [hit for hit in made.hits()[before:] if hit.agent == "second" or second is first]

    wait_for(taken, "the successor")
    takeover_s = taken()[0].at_s - froze_s
    if wakes_early:
        wait_for(lambda: len(taken()) > 20, "pages of the successor")
        woke_s = wake(pids)
    wait_for(made.is_over, "the end of the crawl", 300)
    if not wakes_early:
        time.sleep(1.0)
        left = snapshot(made)
        woke_s = wake(pids)
        time.sleep(AWAKE_S)
        now = snapshot(made)
    late = {} if wakes_early else {name: len(set(now[name]) ^ set(left[name])) for name in now}
    by_first = [hit for hit in made.hits() if hit.agent == "first" and second is not first]
    result = {
        "frozen": frozen,
        "moment": moment,
        "wakes_early": wakes_early,
        "successor_after_seconds": successor_after_s,
        "takeover_seconds": round(takeover_s, 1),
        "first_alive": [is_alive(pid) for pid in pids],
        **verdict(made),
        "bound": PER_HOST,
        "late_writes": late,
        "late_requests": sum(hit.at_s > taken()[0].at_s for hit in by_first),
        "after_waking": sum(hit.at_s > woke_s for hit in by_first),
    }
    for worker in {first, second}:
        worker.terminate()
    result["stopped_with"] = [worker.wait(10) for worker in (first, second)]
    return {**result, "leftovers": made.leftovers()}


def wake(pids: tuple[int, ...]) -> float:
    """Let frozen processes go on, where they live; return when."""
    woke_s = time.time()
    for pid in pids:
        if is_alive(pid):
            os.kill(pid, signal.SIGCONT)
    return woke_s


# ---- the command


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine_kill", description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--pages", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--twin", action="store_true", help="freeze instead of kill")
    parser.add_argument("--moment", choices=tuple(FREEZES), action="append", help="of the freeze")
    parser.add_argument("--frozen", choices=("both", "worker", "crawler"), default="both")
    parser.add_argument("--early", action="store_true", help="wake the twin while its successor is at work")
    parser.add_argument("--after", type=float, default=0.0, help="start the successor so many seconds later")
    parser.add_argument("--keep", type=Path, help="where to copy what the workers told")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # and all that was started ends
    with postgresql_server() if asked.database == "postgresql" else contextlib.nullcontext() as server:
        for moment in (asked.moment or FREEZES) if asked.twin else ("kill",):
            run(asked, server, moment)


def run(asked: argparse.Namespace, server: str | None, moment: str) -> None:
    """Make one run and print what came of it."""
    with bench(asked.database, server, asked.pages) as made:
        try:
            if asked.twin:
                found = twin_run(
                    made,
                    moment,
                    frozen=asked.frozen,
                    wakes_early=asked.early,
                    successor_after_s=asked.after,
                )
            else:
                found = kill_run(made, asked.kills, asked.seed)
            print(json.dumps({"database": asked.database, **found}), flush=True)
        finally:
            if asked.keep:
                asked.keep.mkdir(parents=True, exist_ok=True)
                for told in (*made.folder.glob("*.err"), made.log):
                    (asked.keep / f"{asked.database}-{moment}-{told.name}").write_bytes(told.read_bytes())


if __name__ == "__main__":
    main()
