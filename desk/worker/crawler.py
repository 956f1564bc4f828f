"""The worker's crawler process: started when it is needed, started anew when it has died or stands still."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import subprocess
import sys
import threading
import time
from typing import IO, TYPE_CHECKING, Final

from crawler.child.wire import Alive, Failure, order_line, report_of, stop_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from crawler.child.wire import CheckOrder, Report
    from crawler.crawl.slices import Slice

logger = logging.getLogger(__name__)

SILENT_S: Final = 20.0
"""A process that has said nothing for so long stands still, and is killed."""
READY_S: Final = 30.0
"""How long it may take to start."""
STOP_S: Final = 3.0
"""How long it may take to stop."""
LOST: Final = Failure(kind="lost", message="The crawler process ended before it was done.")


class _Process:
    """One crawler process and what it was ordered to do."""

    def __init__(self, folder: Path, ended: Callable[[], None], paged: Callable[[int], None]) -> None:
        self._ended = ended
        self._paged = paged
        self._waiting: dict[str, _Answer] = {}
        self._lock = threading.Lock()
        self._pages = 0
        self.heard_s = time.monotonic()
        self.ready = threading.Event()
        self.is_over = False
        environment = os.environ | {"LEADLINE_LOG_LEVEL": str(logging.getLogger().level)}
        # A session of its own: Ctrl-C at a terminal is for the worker, which then sends the order to stop.
        self.popen = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-m", "crawler.child", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        self._listener = threading.Thread(target=self._listen, name="crawler-reports", daemon=True)
        self._listener.start()

    def ask(self, name: str, order: Slice | CheckOrder) -> Report:
        """Send an order and wait for what becomes of it."""
        answer = _Answer()
        with self._lock:
            if self.is_over:
                return LOST
            self._waiting[name] = answer
        self._send(order_line(name, order))
        answer.come.wait()
        return answer.report

    def stop(self) -> None:
        """Tell it to stop and wait until it has; kill it when that takes too long."""
        self._send(stop_line())
        try:
            self.popen.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._listener.join(1.0)

    def kill(self) -> None:
        """End it at once."""
        self.popen.kill()
        self.popen.wait()

    def _send(self, line: bytes) -> None:
        pipe: IO[bytes] | None = self.popen.stdin
        try:
            with self._lock:
                if pipe is not None:
                    pipe.write(line)
                    pipe.flush()
        except (OSError, ValueError):
            return  # it is over, and so its listener finds

    def _listen(self) -> None:
        for line in self.popen.stdout or ():
            try:
                name, report = report_of(line)
            except ValueError:
                logger.warning("The crawler process reported something that nobody understands")
                continue
            self.heard_s = time.monotonic()
            self.ready.set()
            if isinstance(report, Alive):
                self._paged(report.pages - self._pages)
                self._pages = report.pages
            else:
                self._answer(name, report)
        self._end()

    def _answer(self, name: str, report: Report) -> None:
        with self._lock:
            answer = self._waiting.pop(name, None)
        if answer is not None:
            answer.report = report
            answer.come.set()

    def _end(self) -> None:
        self.popen.wait()
        with self._lock:
            self.is_over = True
            self.ready.set()
            lost = list(self._waiting)
            for pipe in (self.popen.stdin, self.popen.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):  # what was not sent is of no use any more
                        pipe.close()
        for name in lost:
            self._answer(name, LOST)
        self._ended()


class _Answer:
    """What an order waits for."""

    def __init__(self) -> None:
        self.come = threading.Event()
        self.report: Report = LOST


class Crawler:
    """The crawler process of a worker, whichever lives at the moment.

    Args:
        folder: The workspace.
        started: Told the process id of each new process, and None when one has ended.
        paged: Told of new pages, about once a second.
    """

    def __init__(
        self,
        folder: Path,
        started: Callable[[int | None], None] = lambda _: None,
        paged: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._folder = folder
        self._started = started
        self._paged = paged
        self._process: _Process | None = None
        self._lock = threading.Lock()
        self._names = itertools.count(1)
        self._is_stopping = threading.Event()

    @property
    def pid(self) -> int | None:
        """Return the number of the living process, or None."""
        process = self._process
        return None if process is None or process.is_over else process.popen.pid

    def start(self) -> Callable[[], object]:
        """Start the process, and return what waits until it can take orders."""
        ready = self._living().ready
        return lambda: ready.wait(READY_S)

    def ask(self, order: Slice | CheckOrder) -> Report:
        """Have an order carried out; a failure of kind `lost` says that the process has died over it."""
        if self._is_stopping.is_set():
            return LOST
        return self._living().ask(str(next(self._names)), order)

    def look_after(self) -> None:
        """Kill a process that stands still; call it every few seconds."""
        process = self._process
        if process is None or process.is_over or self._is_stopping.is_set():
            return
        if time.monotonic() - process.heard_s > SILENT_S:
            logger.warning("The crawler process stands still and is started anew")
            process.kill()

    def stop(self) -> None:
        """End the process; orders that it cannot finish are reported as stopped or lost."""
        self._is_stopping.set()
        with self._lock:
            process = self._process
        if process is not None and not process.is_over:
            process.stop()

    def kill(self) -> None:
        """End the process at once: another worker has its sites."""
        self._is_stopping.set()
        process = self._process
        if process is not None and not process.is_over:
            process.kill()

    def _living(self) -> _Process:
        with self._lock:
            if self._process is None or self._process.is_over:
                self._process = _Process(self._folder, lambda: self._started(None), self._paged)
                self._started(self._process.popen.pid)
            return self._process
