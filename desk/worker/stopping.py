"""Stop at Ctrl-C and SIGTERM: the first asks politely, and seconds later the process ends in any case."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

LATEST_S: Final = 4.5
"""After so many seconds the process ends, whatever it waits for; what was recorded stays."""
INTERRUPTED: Final = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_on_signals(latest_s: float = LATEST_S) -> Iterator[threading.Event]:
    """Give an event that the first Ctrl-C or SIGTERM sets; a second one ends the process at once.

    Outside the main thread, where no signal arrives, the event is set by nobody.

    Args:
        latest_s: So many seconds after the first signal the process is ended, also when the block is left by
            then: threads that wait for a database that is away would keep it.
    """
    stopping = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return
    last_resort = threading.Timer(latest_s, os._exit, (INTERRUPTED,))
    last_resort.daemon = True

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        if stopping.is_set():
            os._exit(INTERRUPTED)
        stopping.set()
        last_resort.start()

    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
