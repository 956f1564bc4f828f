"""A process that was told to stop ends, and a wait for the database goes on until it is back."""

from __future__ import annotations

import subprocess
import sys

from caselog.errors import OutageError
from desk.worker.joining import _Look
from desk.worker.stopping import INTERRUPTED

HANGS = """
import os, signal, threading
from desk.worker.stopping import stop_on_signals

with stop_on_signals(0.2) as stopping:
    os.kill(os.getpid(), signal.SIGTERM)
    stopping.wait()
threading.Thread(target=threading.Event().wait).start()
"""


def test_a_thread_that_waits_for_ever_does_not_keep_a_stopped_process() -> None:
    assert subprocess.run([sys.executable, "-c", HANGS], check=False, timeout=60).returncode == INTERRUPTED


def test_an_outage_does_not_end_the_wait_for_a_worker() -> None:
    outages = [OutageError("The database is away.")]

    def is_done() -> bool:
        if outages:
            raise outages.pop()
        return True

    look = _Look(is_done, lambda: True)

    assert (look(), look.is_done) == (False, False)
    assert (look(), look.is_done) == (True, True)
