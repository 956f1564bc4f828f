"""One, two, three or four workers on one PostgreSQL over a thousand loopback sites, counted at the servers.

`python -m benchmarks.engine_workers [--sites N] [--pages N] [--delay S] [--workers 1 2 4]` prints for each
number of workers the wall time, pages per second, what the servers counted (most requests at once on a site,
shortest time between two, requests of two workers at once) and the memory of each worker with its processes.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.crowd import children, resident_mib
from benchmarks.crowd_site import address
from tests.servers.postgresql import postgresql_server

LEADLINE = [sys.executable, "-m", "desk.cli", "--json"]


def family_mib(pid: int) -> float:
    """Return the memory of a worker, its crawler process and that one's parsing process."""
    return resident_mib(pid) + sum(resident_mib(two) for one in children(pid) for two in children(one))


def environment(folder: str, asked: argparse.Namespace) -> dict[str, str]:
    return os.environ | {
        "LEADLINE_WORKSPACE": f"{folder}/workspace",
        "LEADLINE_USER": "ada",
        "LEADLINE_CRAWL__DELAY_SECONDS": str(asked.delay),
        "LEADLINE_CRAWL__PAGES_PER_LEAD": str(4 * asked.pages),
        "LEADLINE_CRAWL__HOSTS_AT_ONCE": str(asked.hosts),
    }


def prepare(folder: str, database: str, urls: list[str], settings: dict[str, str]) -> None:
    rows = "".join(f"{url},R-{number}\n" for number, url in enumerate(urls))
    Path(folder, "leads.csv").write_text(f"url,report\n{rows}")
    for step in (
        ["init", "--practice", *(["--database", database] if database else [])],
        ["users", "add", "ada", "--role", "supervisor", "--password-stdin"],
        ["leads", "add", f"{folder}/leads.csv", "--source", "bench", "--confirm"],
    ):
        subprocess.run(
            [*LEADLINE, *step], env=settings, check=True, capture_output=True, input=b"Bread-and-Butter-1\n"
        )


def run(workers: int, database: str, asked: argparse.Namespace) -> None:
    """Make one run with so many workers and print what came of it."""
    command = [sys.executable, "-m", "benchmarks.crowd_site", "--only-honest", "--hostile-share", "0"]
    command += ["--sites", str(asked.sites), "--pages", str(asked.pages)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    started: list[subprocess.Popen[str]] = []
    memory: list[list[float]] = [[] for _ in range(workers)]
    with tempfile.TemporaryDirectory() as folder:
        try:
            port = int(server.stdout.readline().split()[-1])
            settings = environment(folder, asked)
            prepare(folder, database, [f"http://{address(n)}:{port}/" for n in range(asked.sites)], settings)
            for number in range(workers):
                agent = {"LEADLINE_NETWORK__USER_AGENT": f"Mozilla/5.0 (compatible; worker {number})"}
                command = [*LEADLINE, "worker"]
                started.append(
                    subprocess.Popen(command, env=settings | agent, stderr=subprocess.PIPE, text=True)
                )
                started[-1].stderr.readline()
            before_s = time.monotonic()
            follower = subprocess.Popen([*LEADLINE, "crawl"], env=settings, stdout=subprocess.PIPE, text=True)
            while follower.poll() is None:
                for one, samples in zip(started, memory, strict=True):
                    samples.append(family_mib(one.pid))
                time.sleep(1.0)
            took_s = time.monotonic() - before_s
            summary = json.loads(follower.communicate()[0].splitlines()[-1])["summary"]
        finally:
            for one in started:
                one.send_signal(signal.SIGTERM)
            for one in started:
                one.communicate(timeout=30)
            server.send_signal(signal.SIGTERM)
            counted = json.loads(server.communicate(timeout=20)[0].splitlines()[-1])
    print(f"{workers} workers: {took_s:.1f} s, {summary['pages'] / took_s:.1f} pages/s")
    print(f"  summary {json.dumps(summary)}")
    print(f"  counted at the servers: {json.dumps(counted)}")
    middle = [f"{median(samples):.0f} (highest {max(samples):.0f})" for samples in memory if samples]
    print(f"  memory of each worker with its processes, MiB: {', '.join(middle)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=1000)
    parser.add_argument("--pages", type=int, default=6)
    parser.add_argument("--delay", type=float, default=0.5)
    parser.add_argument("--hosts", type=int, default=16, help="hosts at once, of each worker")
    parser.add_argument("--workers", type=int, nargs="+", default=[3])
    parser.add_argument("--sqlite", action="store_true", help="one worker on SQLite instead")
    asked = parser.parse_args()
    for workers in asked.workers:
        if asked.sqlite:
            run(workers, "", asked)
            continue
        with postgresql_server() as database:
            run(workers, database, asked)


if __name__ == "__main__":
    main()
