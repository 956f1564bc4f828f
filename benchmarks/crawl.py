"""Pages per CPU-second of the whole chain up to recorded evidence, beside stock Scrapy that records nothing.

`python -m benchmarks.crawl [--pages N] [--rounds N]`. Both crawl the same local site in the same run; the
figure is a ratio. Also prints the peak memory of our crawl.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.site import WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator


LEADLINE = [sys.executable, "-m", "desk.cli", "--json"]
RARE_PHRASE = " ".join(WORDS[:2])
"""Stands on some pages of the site."""


@contextmanager
def local_site(pages: int, *manner: str) -> Iterator[str]:
    """Serve the benchmark's site in a process of its own and give its address."""
    command = [sys.executable, "-m", "benchmarks.site", "--pages", str(pages), *manner]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        port = int(child.stdout.readline().split()[-1])
        yield f"http://127.0.0.1:{port}/"
    finally:
        child.terminate()
        child.wait(10)


def timed(command: list[str], environment: dict[str, str] | None = None) -> tuple[float, int, str]:
    """Return CPU seconds, peak memory in MiB, and what the command printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    out = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{command[0]} failed with status {status}")
    del before
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024, out


def stock(url: str, pages: int) -> tuple[float, int, int]:
    """Crawl with stock Scrapy; returns CPU seconds, MiB, pages."""
    cpu, peak, out = timed([sys.executable, "-m", "benchmarks.stock_spider", url, str(pages)])
    return cpu, peak, int(out.split()[-1])


def workspace(folder: str, url: str, pages: int, database: str = "") -> dict[str, str]:
    """Make a workspace with one confirmed lead and return the environment that names it."""
    environment = os.environ | {
        "LEADLINE_WORKSPACE": f"{folder}/workspace",
        "LEADLINE_USER": "ada",
        "LEADLINE_CRAWL__DELAY_SECONDS": "0.0001",
        "LEADLINE_CRAWL__PER_HOST": "16",
        "LEADLINE_CRAWL__PAGES_PER_LEAD": str(pages),
        "LEADLINE_CRAWL__DEPTH": "10000",  # the site is a long chain of pages
    }
    Path(folder, "leads.csv").write_text(f"url,report\n{url},R-1\n")
    Path(folder, "terms.csv").write_text(f"id,term,weight,kind\nt1,{RARE_PHRASE},1,phrase\n")
    for step in (
        ["init", "--practice", *(["--database", database] if database else [])],
        ["users", "add", "ada", "--role", "supervisor", "--password-stdin"],
        ["terms", "import", f"{folder}/terms.csv"],
        ["leads", "add", f"{folder}/leads.csv", "--source", "bench", "--confirm"],
    ):
        subprocess.run(
            [*LEADLINE, *step],
            env=environment,
            check=True,
            capture_output=True,
            input=b"Bread-and-Butter-1\n",
        )
    return environment


def ours(url: str, pages: int) -> tuple[float, int, int, int]:
    """Crawl with Leadline; returns CPU seconds, MiB, pages, evidence items."""
    with tempfile.TemporaryDirectory() as folder:
        cpu, peak, out = timed([*LEADLINE, "crawl"], workspace(folder, url, pages))
        summary = json.loads(out.splitlines()[-1])["summary"]
    return cpu, peak, summary["pages"], summary["evidence"]


def main() -> None:
    """Run both in turn and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=1500)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    ratios = []
    with local_site(asked.pages) as url:
        for number in range(asked.rounds):
            theirs_cpu, theirs_peak, theirs_pages = stock(url, asked.pages)
            our_cpu, our_peak, our_pages, evidence = ours(url, asked.pages)
            ratios.append((our_pages / our_cpu) / (theirs_pages / theirs_cpu))
            print(
                f"round {number + 1}: stock {theirs_pages} pages, "
                f"{theirs_pages / theirs_cpu:.0f} per CPU-second, "
                f"{theirs_peak} MiB; leadline {our_pages} pages, {evidence} evidence, "
                f"{our_pages / our_cpu:.0f} per CPU-second, {our_peak} MiB; ratio {ratios[-1]:.2f}"
            )
    print(f"ratio: median {statistics.median(ratios):.2f}, lowest {min(ratios):.2f}")


if __name__ == "__main__":
    main()
