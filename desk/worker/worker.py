"""The worker: a numbered place, the engine that carries jobs out, and one crawler process."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from caselog.errors import CaseError, ConfigError, OutageError
from caselog.slots.slot import living, take_slot, try_slot
from crawler.crawl.lanes import ASIDE
from desk.engine import Engine, Orders
from desk.output import bug_report
from desk.worker.crawler import Crawler
from desk.worker.jobs import SCHEDULES, DeskJobs
from desk.worker.orders import drop_abandoned, follow
from desk.worker.slices import CHECKS, SLICE, SiteJobs, wait_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from caselog.slots.slot import Slot
    from caselog.workspace import Workspace
    from desk.access import Acting
    from desk.engine import Handler

logger = logging.getLogger(__name__)

LOOK_AFTER_S: Final = 3.0
"""How often the worker looks after its crawler process, its place, and jobs that were left."""
GONE: Final = 4
"""A worker that was gone at so many looks is dead; one that lost its connection is back by then."""
REPAIR_EVERY: Final = 10
"""Every so many looks, slices that got lost are placed anew."""


class Worker:
    """Carries jobs out until it is stopped.

    Args:
        workspace: The opened workspace.
        acting: In whose name it runs.
        paged: Told of new pages, about once a second.
        keeps_schedules: Also do what comes due by the clock.
    """

    def __init__(
        self,
        workspace: Workspace,
        acting: Acting,
        paged: Callable[[int], None] = lambda _: None,
        *,
        keeps_schedules: bool = True,
    ) -> None:
        self.stopping = threading.Event()
        self._workspace = workspace
        self._slot: Slot = take_slot(workspace)
        self.crawler = Crawler(workspace.folder, self._slot.note_child, paged)
        self.orders = Orders(workspace)
        self._desk_jobs = DeskJobs(
            workspace=workspace, acting=acting, orders=self.orders, keeps_schedules=keeps_schedules
        )
        self._keeps_schedules = keeps_schedules
        at_once = (1 + ASIDE) * workspace.config.crawl.hosts_at_once
        self._engine = Engine(workspace, self._slot.number, self._handlers(), sites_at_once=at_once)
        self._orphans: set[str] = set()
        self._gone: Counter[int] = Counter()
        """At how many looks in a row each worker was gone."""
        self._looks = 0
        self._trouble = ""
        """What the last look failed of; it is said once."""
        self.is_displaced = False
        """Another worker has taken this one's place."""

    @property
    def number(self) -> int:
        """Return the worker's number."""
        return self._slot.number

    def _handlers(self) -> dict[str, Handler]:
        jobs = SiteJobs(
            workspace=self._workspace,
            ask=self.crawler.ask,
            place=self.orders.place,
            stopping=self.stopping,
        )
        found = {CHECKS: jobs.checks, **self._desk_jobs.handlers()}
        quiet = {kind: self._quiet(kind, handler) for kind, handler in found.items()}
        return {**quiet, SLICE: self._quiet(SLICE, jobs.slice, otherwise=jobs.abandon)}

    def _quiet(
        self, kind: str, handler: Handler, otherwise: Callable[..., object] = lambda *_: None
    ) -> Handler:
        """Return a handler that waits outages out, and whose errors are kept without values.

        They may hold an address.

        Args:
            kind: For the log.
            handler: Carries the job out.
            otherwise: Called with the job's numbers when it failed for good.
        """

        def carry_out(*numbers: Any) -> dict[str, Any]:
            try:
                return wait_out(partial(handler, *numbers), self.stopping)
            except OutageError as error:
                logger.debug("The worker stops, and leaves the job %s to the next one", kind)
                return {"failed": error.kind}
            except CaseError as error:
                failed, told = error.kind, str(error)
                otherwise(*numbers)
            except Exception as error:
                failed, told = "bug", bug_report(error)
                otherwise(*numbers)
            logger.warning("The job %s failed: %s", kind, told)
            return {"failed": failed}

        return carry_out

    def start(self) -> None:
        """Begin to carry jobs out, first what this number, and dead workers, had begun."""
        wait_for_crawler = self.crawler.start()
        if not self._keeps_schedules:
            self._drop_abandoned()
        self._engine.start()
        if self._keeps_schedules:
            self.orders.set_schedules(SCHEDULES)
        self.look_after()
        # What is called for from now on has its whole time.
        wait_for_crawler()

    def _drop_abandoned(self) -> None:
        """Leave what nobody waits for alone: this worker is there for one call only."""
        try:
            drop_abandoned(self._workspace, self.orders)
        except ConfigError:
            return  # no job was ever placed here

    def look_after(self) -> None:
        """Mend what went wrong since the last look; call it every few seconds."""
        self._looks += 1
        self.crawler.look_after()
        if not self._slot.is_held():
            logger.warning("Another worker has taken the place of this one, which begins anew")
            self.is_displaced = True
            return
        try:
            self._take_over()
            if self._looks % REPAIR_EVERY == 1:
                self._desk_jobs.repair()
        except CaseError as error:  # whatever it is: the next look is due in seconds
            if str(error) != self._trouble:
                logger.warning("%s", error)
            self._trouble = str(error)
        else:
            self._trouble = ""

    def _take_over(self) -> None:
        """Begin anew what dead workers had begun, and what this one has lost sight of."""
        if not self._slot.is_connected():
            return  # another may work under this number by now: its jobs look like ours
        gone = self.orders.workers() - living(self._workspace) - {self.number}
        self._gone = Counter({number: self._gone[number] + 1 for number in gone})
        for number in [number for number in gone if self._gone[number] >= GONE]:
            slot = try_slot(self._workspace, number)
            if slot is not None:
                try:
                    self.orders.adopt(number)
                finally:
                    slot.leave()
        running = self._engine.running()
        mine = {one.name for one in self.orders.active() if one.is_running and one.worker == self.number}
        # Between its claim and its start a job is neither: only at a second look it is lost.
        lost = (mine - running) & self._orphans
        self._orphans = mine - running
        if lost:
            self.orders.adopt(self.number, running=(mine - lost) | running)

    def do_once(self, stopping: threading.Event) -> None:
        """Do what is due now, wait until nothing is left that could begin, look hosts up, seal the ledger."""
        self._desk_jobs.crawl_due()
        self._desk_jobs.checks_due()
        if follow(self._is_idle, stopping):
            self._desk_jobs.enrich()
            self._desk_jobs.prune()

    def _is_idle(self) -> bool:
        """Tell whether no job is left that runs or could begin now."""
        return all(one.is_delayed for one in self.orders.active())

    def stop(self) -> None:
        """End what is under way, place what is left of it, and give the place up."""
        self.stopping.set()
        if self.is_displaced:
            self.crawler.kill()
        else:
            self.crawler.stop()
        self._engine.stop()
        self.orders.close()
        self._slot.leave()


@contextmanager
def running_worker(
    workspace: Workspace,
    acting: Acting,
    paged: Callable[[int], None] = lambda _: None,
    *,
    keeps_schedules: bool = True,
) -> Iterator[Worker]:
    """Give a worker that carries jobs out until the end of the block.

    Raises:
        RefusedError: The workspace has its one worker already.
    """
    worker = Worker(workspace, acting, paged, keeps_schedules=keeps_schedules)
    over = threading.Event()

    def look_after() -> None:
        while not over.wait(LOOK_AFTER_S) and not worker.is_displaced:
            worker.look_after()

    watcher = threading.Thread(target=look_after, name="worker-look-after", daemon=True)
    try:
        worker.start()
        watcher.start()
        yield worker
    finally:
        over.set()
        worker.stop()
