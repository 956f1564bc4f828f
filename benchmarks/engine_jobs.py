"""Ten thousand jobs over two hundred sites, three workers on one PostgreSQL, a random one killed every 5 s.

`python -m benchmarks.engine_jobs [--jobs N] [--kill-all] [--next-release]` counts from the workers' own notes
(an append-only file: begin and end of each job) and from the engine: jobs lost, outcomes recorded twice, and
overlaps of two jobs of one site. `--kill-all` kills all workers at once in the middle and starts them again;
`--next-release` does so with workers of a release of another version, from another copy of the source.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from caselog.workspace import open_workspace
from desk.access import Act, require
from desk.engine import Job, Orders
from desk.worker.worker import LOOK_AFTER_S, Worker
from tests.servers.postgresql import postgresql_server

ROOT = Path(__file__).parent.parent
SITES = 200
KIND = "bake"
KILL_EVERY_S = 5.0
LEADLINE = [sys.executable, "-m", "desk.cli", "--json"]


class BakingWorker(Worker):
    """A worker as it is, with one more kind of job, and without a crawler process."""

    notes: int

    def _handlers(self) -> dict[str, Any]:
        self.crawler.start = lambda: lambda: None  # type: ignore[method-assign]
        return {**super()._handlers(), KIND: self._bake}

    def _bake(self, number: int) -> dict[str, int]:
        self._note("begin", number)
        time.sleep(random.uniform(0.002, 0.02))
        self._note("end", number)
        return {"loaf": number}

    def _note(self, what: str, number: int) -> None:
        line = f"{what} {number} {os.getpid()} {time.monotonic_ns()}\n"
        os.write(int(os.environ["NOTES"]), line.encode())


def work() -> None:
    """Be a worker until killed."""
    workspace = open_workspace(Path(os.environ["LEADLINE_WORKSPACE"]))
    worker = BakingWorker(workspace, require(workspace, "ada", Act.CRAWL), keeps_schedules=False)
    worker.start()
    print("at work", flush=True)
    while not threading.Event().wait(LOOK_AFTER_S):
        worker.look_after()


class Crew:
    """Three workers, each of which is started anew when it is killed."""

    def __init__(self, count: int, environment: dict[str, str], notes: int) -> None:
        self.kills: list[tuple[int, int]] = []
        """Process and time of each kill."""
        self.source = ROOT
        self._environment = environment
        self._notes = notes
        self.workers = [self._start() for _ in range(count)]

    def _start(self) -> subprocess.Popen[bytes]:
        environment = self._environment | {"NOTES": str(self._notes), "PYTHONPATH": str(self.source)}
        command = [sys.executable, "-m", "benchmarks.engine_jobs", "--work"]
        return subprocess.Popen(
            command, env=environment, cwd=self.source, pass_fds=[self._notes], stdout=subprocess.PIPE
        )

    def wait_for_the_first(self) -> None:
        """Wait until the first worker is at work, and has made the engine's tables."""
        if self.workers[0].stdout:
            self.workers[0].stdout.readline()

    def grow(self, count: int) -> None:
        """Start more workers."""
        self.workers += [self._start() for _ in range(count)]

    def kill(self, at: int) -> None:
        """Kill one with signal 9."""
        self.workers[at].kill()
        self.workers[at].wait()
        self.kills.append((self.workers[at].pid, time.monotonic_ns()))

    def revive(self, at: int) -> None:
        """Start one anew."""
        self.workers[at] = self._start()


def next_release(folder: Path) -> Path:
    """Return a copy of the source that says it is another version, with a changed source file."""
    copy = folder / "next"
    for name in ("caselog", "crawler", "enrich", "exports", "desk", "benchmarks", "tests"):
        shutil.copytree(ROOT / name, copy / name)
    text = (copy / "desk" / "engine.py").read_text()
    (copy / "desk" / "engine.py").write_text(text + '\nRELEASE = "9.9.9"\n')
    (copy / "leadline-9.9.9.dist-info").mkdir()
    (copy / "leadline-9.9.9.dist-info" / "METADATA").write_text("Name: leadline\nVersion: 9.9.9\n")
    return copy


def judged(notes: list[str], kills: list[tuple[int, int]], jobs: int) -> dict[str, int]:
    """Count from the workers' notes; a job that was killed ended with its process."""
    killed_at = dict(kills)
    begun, ended = Counter[int](), Counter[int]()
    under_way: dict[tuple[int, int], int] = {}
    spans: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for line in notes:
        what, number, pid, at = line.split()
        key = int(number), int(pid)
        if what == "begin":
            begun[key[0]] += 1
            under_way[key] = int(at)
        else:
            ended[key[0]] += 1
            spans[key[0] % SITES].append((under_way.pop(key), int(at)))
    for (number, pid), at in under_way.items():
        spans[number % SITES].append((at, killed_at.get(pid, at)))
    overlaps = 0
    for found in spans.values():
        found.sort()
        overlaps += sum(a[1] > b[0] for a, b in itertools.pairwise(found))
    return {
        "never_ended": sum(not ended[number] for number in range(jobs)),
        "begun_twice": sum(count > 1 for count in begun.values()),
        "body_ended_twice": sum(count > 1 for count in ended.values()),
        "overlaps_on_a_site": overlaps,
    }


def run(jobs: int, asked: argparse.Namespace) -> dict[str, Any]:
    """Make one run and return its figures."""
    with tempfile.TemporaryDirectory() as made, postgresql_server() as database:
        folder = Path(made)
        environment = os.environ | {"LEADLINE_WORKSPACE": made + "/w", "LEADLINE_USER": "ada"}
        for step in (
            ["init", "--practice", "--database", database],
            ["users", "add", "ada", "--role", "supervisor", "--password-stdin"],
        ):
            subprocess.run(
                [*LEADLINE, *step],
                env=environment,
                check=True,
                capture_output=True,
                input=b"Bread-and-Butter-1\n",
            )
        notes = os.open(folder / "notes", os.O_RDWR | os.O_CREAT | os.O_APPEND)
        crew = Crew(1, environment, notes)  # makes the engine's tables
        workspace = open_workspace(folder / "w")
        orders = Orders(workspace)
        crew.wait_for_the_first()
        before_s = time.monotonic()
        for number in range(jobs):
            orders.place(
                Job(name=f"{KIND}:{number}", kind=KIND, numbers=(number,), site_tag=f"s-{number % SITES:08x}")
            )
        placed_s = time.monotonic() - before_s
        crew.grow(2)
        began_s, last_kill_s, is_changed = time.monotonic(), time.monotonic(), False
        while left := len(orders.active(f"{KIND}:")):
            time.sleep(0.5)
            if (asked.kill_all or asked.next_release) and not is_changed and left < jobs * 0.6:
                is_changed = True
                for at in range(3):
                    crew.kill(at)
                if asked.next_release:
                    crew.source = next_release(folder)
                for at in range(3):
                    crew.revive(at)
            elif not (asked.kill_all or asked.next_release) and time.monotonic() - last_kill_s > KILL_EVERY_S:
                last_kill_s = time.monotonic()
                at = random.randrange(3)
                crew.kill(at)
                crew.revive(at)
        took_s = time.monotonic() - began_s
        results = orders.results(f"{KIND}:")
        for at in range(3):
            crew.workers[at].kill()
            crew.workers[at].wait()
        orders.close()
        workspace.log.close()
        found = judged((folder / "notes").read_text().splitlines(), crew.kills, jobs)
        done = Counter(result.get("loaf") for result in results)
        os.close(notes)
    return {
        "jobs": jobs,
        "kills": len(crew.kills),
        "recorded_once": sum(count == 1 for count in done.values()),
        "lost": jobs - len(done),
        "recorded_twice": sum(count > 1 for count in done.values()),
        **found,
        "placed_a_second": round(jobs / placed_s),
        "done_a_second": round(jobs / took_s),
    }


def main() -> None:
    """Print the figures of one run as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--kill-all", action="store_true")
    parser.add_argument("--next-release", action="store_true")
    parser.add_argument("--work", action="store_true", help="be one of the workers")
    asked = parser.parse_args()
    if asked.work:
        work()
        return
    print(json.dumps(run(asked.jobs, asked)))


if __name__ == "__main__":
    main()
