"""Crawl three hundred sites of different speeds, with and without one hostile site in ten.

`python -m benchmarks.crowd [--sites N] [--pages N] [--delay S]` prints for both runs the wall time, how many
honest sites were crawled in full, what the servers counted, and the memory of the process over the run; then
the ratio of the two times.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.crowd_site import address, is_hostile

SHARE = 10
WARM = 0.3
"""Share of the run after which the memory should no longer grow."""
ENDING = 4
"""Samples at the end that are left out: the parsing process ends first."""


def resident_mib(pid: int) -> float:
    """Return the memory of a process and its children."""
    total = 0.0
    for one in (pid, *children(pid)):
        try:
            found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{one}/status").read_text())
        except OSError:
            continue
        total += int(found[1]) / 1024 if found else 0.0
    return total


def children(pid: int) -> list[int]:
    """Return the numbers of a process's children."""
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def crawl(
    folder: str, urls: list[str], delay_s: float, pages: int
) -> tuple[float, dict[str, float], list[float]]:
    """Crawl the sites; return wall seconds, the summary, and the memory twice a second."""
    environment = os.environ | {
        "LEADLINE_WORKSPACE": f"{folder}/workspace",
        "LEADLINE_USER": "ada",
        "LEADLINE_CRAWL__DELAY_SECONDS": str(delay_s),
        "LEADLINE_CRAWL__PAGES_PER_LEAD": str(pages),
    }
    leadline = [sys.executable, "-m", "desk.cli", "--json"]
    rows = "".join(f"{url},R-{number}\n" for number, url in enumerate(urls))
    Path(folder, "leads.csv").write_text(f"url,report\n{rows}")
    for step in (
        ["init", "--practice"],
        ["users", "add", "ada", "--role", "supervisor", "--password-stdin"],
        ["leads", "add", f"{folder}/leads.csv", "--source", "bench", "--confirm"],
    ):
        subprocess.run(
            [*leadline, *step],
            env=environment,
            check=True,
            capture_output=True,
            input=b"Bread-and-Butter-1\n",
        )
    before_s = time.monotonic()
    with Path(folder, "out").open("w+") as out:
        child = subprocess.Popen([*leadline, "crawl"], env=environment, stdout=out)
        memory = []
        while child.poll() is None:
            memory.append(resident_mib(child.pid))
            time.sleep(0.5)
        took_s = time.monotonic() - before_s
        out.seek(0)
        if child.returncode not in {0, 1}:
            raise SystemExit(f"the crawl ended with {child.returncode}")
        summary = json.loads(out.read().splitlines()[-1])["summary"]
    return took_s, summary, memory


def run(sites: int, pages: int, delay_s: float, *, only_honest: bool) -> float:
    """Make one run, print what came of it, return its wall seconds."""
    command = [sys.executable, "-m", "benchmarks.crowd_site", "--sites", str(sites), "--pages", str(pages)]
    server = subprocess.Popen(
        [*command, *(["--only-honest"] if only_honest else [])], stdout=subprocess.PIPE, text=True
    )
    try:
        port = int(server.stdout.readline().split()[-1])
        numbers = [number for number in range(sites) if not (only_honest and is_hostile(number, SHARE))]
        urls = [f"http://{address(number)}:{port}/" for number in numbers]
        with tempfile.TemporaryDirectory() as folder:
            took_s, summary, memory = crawl(folder, urls, delay_s, 4 * pages)
    finally:
        server.send_signal(signal.SIGTERM)
        counted = json.loads(server.communicate(timeout=20)[0].splitlines()[-1])
    warm = memory[int(WARM * len(memory)) : -ENDING] or [0.0]
    print(f"{'honest sites alone' if only_honest else 'one in ten hostile'}: {took_s:.1f} s")
    print(
        f"  complete {counted['complete']} of {counted['honest']} honest sites; summary {json.dumps(summary)}"
    )
    print(f"  counted at the servers: {json.dumps(counted)}")
    print(
        f"  memory, from {WARM:.0%} of the run on: first {warm[0]:.0f}, last {warm[-1]:.0f}, "
        f"lowest {min(warm):.0f}, middle {median(warm):.0f}, highest {max(warm):.0f} MiB"
    )
    return took_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=300)
    parser.add_argument("--pages", type=int, default=12)
    parser.add_argument("--delay", type=float, default=0.5)
    asked = parser.parse_args()
    alone_s = run(asked.sites, asked.pages, asked.delay, only_honest=True)
    both_s = run(asked.sites, asked.pages, asked.delay, only_honest=False)
    print(f"ratio of the two times: {both_s / alone_s:.2f}")


if __name__ == "__main__":
    main()
