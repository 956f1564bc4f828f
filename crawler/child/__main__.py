"""The crawler process: `python -m crawler.child WORKSPACE`; orders on standard input, reports on its output.

It ends at once, whatever it is doing, when standard input ends: then its worker is gone.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from caselog.errors import OutageError
from caselog.process import harden_process, start_logging
from caselog.slots.identity import is_gone, own_name
from caselog.store import holds
from caselog.workspace import open_workspace
from crawler.child.spider import ServingSpider
from crawler.child.wire import Alive, order_of, report_line
from crawler.crawl.session import slice_session
from crawler.run import run_spider
from crawler.transport.holds import LEAST_MARGIN_S, Keeper

if TYPE_CHECKING:
    import asyncio

    from caselog.workspace import Workspace
    from crawler.child.wire import Report

logger = logging.getLogger(__name__)

BEAT_S = 1.0
LIVED_S = 15.0
"""How long a hold counts as ours when nobody renews it."""
AGAIN_S = 2.0
ORPHANED = 9
"""Exit status when the worker is gone."""


class Pipe:
    """The two ends of the pipe to the worker."""

    def __init__(self) -> None:
        # Nothing else may write where the worker reads.
        self._out = os.fdopen(os.dup(1), "wb", buffering=0)
        os.dup2(2, 1)
        self._lock = threading.Lock()

    def report(self, name: str, report: Report) -> None:
        """Send a report; a worker that is gone ends this process."""
        with self._lock:
            try:
                self._out.write(report_line(name, report))
            except OSError:
                os._exit(ORPHANED)

    def listen(self, spider: ServingSpider, loop: asyncio.AbstractEventLoop) -> None:
        """Hand orders to the spider until standard input ends, and end this process then.

        It ends at a line that is no order, too: whoever sent it waits for a report that would never come.
        """
        try:
            for line in sys.stdin.buffer:
                loop.call_soon_threadsafe(spider.take, *order_of(line))
        except ValueError:
            logger.error("What the worker sent is no order; the crawler process ends")  # noqa: TRY400 - no values
        finally:
            os._exit(ORPHANED)

    def beat(self, spider: ServingSpider) -> None:
        """Say every second that this process lives, for the first time when it can take orders."""
        pause = threading.Event()
        while True:
            self.report("", Alive(pages=spider.pages, sites=spider.sites))
            pause.wait(BEAT_S)


def _opened(folder: Path) -> Workspace:
    """Open the workspace, as soon as its database is there; end the holds of processes that are gone."""
    worker, pause = os.getppid(), threading.Event()
    while os.getppid() == worker:
        try:
            workspace = open_workspace(folder)
            with workspace.log.write() as writer:
                gone = [name for name in holds.holders(writer) if is_gone(name)]
                holds.end_all(writer, gone, workspace.config.crawl.delay_seconds)
        except OutageError as error:
            logger.warning("%s", error)
            pause.wait(AGAIN_S)
        else:
            return workspace
    os._exit(ORPHANED)


def main() -> None:
    """Serve the worker at the other end of the pipe."""
    harden_process()
    start_logging(int(os.environ.get("LEADLINE_LOG_LEVEL", logging.WARNING)))
    pipe = Pipe()
    workspace = _opened(Path(sys.argv[1]))
    # Who takes over what a dead process held must still keep its distance.
    margin_s = max(LEAST_MARGIN_S, 2 * workspace.config.crawl.delay_seconds)
    keeper = Keeper(workspace.log, own_name(), margin_s + LIVED_S, margin_s=margin_s)

    def begin(spider: ServingSpider, loop: asyncio.AbstractEventLoop) -> None:
        for work in (lambda: pipe.listen(spider, loop), lambda: pipe.beat(spider)):
            threading.Thread(target=work, daemon=True).start()

    run_spider(
        ServingSpider,
        workspace.folder,
        handles_signals=False,
        settings={"LEADLINE_KEEPER": keeper},
        session=slice_session(workspace),
        report=pipe.report,
        begin=begin,
    )
    workspace.log.close()
    sys.stdout.flush()
    os._exit(0)  # the thread that listens would wait for the worker


if __name__ == "__main__":
    main()
