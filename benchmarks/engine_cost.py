"""What durable slices cost: `leadline crawl` beside the same crawl without jobs, in pairs over the same site.

`python -m benchmarks.engine_cost [--pages N] [--rounds N]`. Both record the same pages; the figures are pages
per CPU-second of the whole process tree, start and end included, and their ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.crawl import LEADLINE, local_site, timed, workspace

PLAIN = [sys.executable, "-m", "benchmarks.engine_cost", "--plain"]


def measured(url: str, pages: int, command: list[str]) -> tuple[float, int]:
    """Return pages per CPU-second and the largest process in MiB of one crawl."""
    with tempfile.TemporaryDirectory() as folder:
        cpu, peak, out = timed(command, workspace(folder, url, pages))
    summary = json.loads(out.splitlines()[-1])["summary"]
    if summary["pages"] != pages:
        raise SystemExit(f"{summary['pages']} pages were recorded instead of {pages}")
    return pages / cpu, peak


def plain() -> None:
    """Crawl in this process, without jobs and slices, and print the summary."""
    from caselog.workspace import open_workspace
    from crawler.crawl.opening import CrawlOptions
    from crawler.crawl.session import open_session
    from crawler.run import run_spider
    from crawler.spiders.leads import LeadsSpider
    from desk.call import seal

    found = open_workspace(Path(os.environ["LEADLINE_WORKSPACE"]))
    session = open_session(found, CrawlOptions())
    run_spider(LeadsSpider, found.folder, session=session)
    seal(found)
    print(json.dumps({"summary": session.summary()}))


def main() -> None:
    """Run both in turn and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plain", action="store_true", help="only the crawl without jobs")
    asked = parser.parse_args()
    if asked.plain:
        plain()
        return
    ratios = []
    with local_site(asked.pages) as url:
        for number in range(asked.rounds):
            without, alone = measured(url, asked.pages, PLAIN)
            durable, peak = measured(url, asked.pages, [*LEADLINE, "crawl"])
            ratios.append(durable / without)
            print(
                f"round {number + 1}: without jobs {without:.0f} pages per CPU-second, {alone} MiB; "
                f"leadline crawl {durable:.0f}, largest process {peak} MiB; ratio {ratios[-1]:.3f}",
                flush=True,
            )
    print(f"ratio: median {statistics.median(ratios):.3f}, lowest {min(ratios):.3f}")


if __name__ == "__main__":
    main()
