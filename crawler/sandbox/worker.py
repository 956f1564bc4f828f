"""The parsing process: reads one page after another from its input until that ends.

It can open no file, start no process and leave no core; it ends when its parent does, because its input ends
then, or when a page takes more processor time or memory than it may.
"""

from __future__ import annotations

import json
import math
import os
import resource
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from caselog.errors import RefusedError
from caselog.process import harden_process
from crawler.reading.flatten import flatten
from crawler.reading.page import parse_page
from crawler.sandbox.wire import LENGTH, framed, page_message

if TYPE_CHECKING:
    from typing import BinaryIO

MEMORY_BYTES: Final = 1024 * 1024 * 1024
"""Address space of the process; the worst page of 2 MB takes about a third."""
LIFE_S: Final = 600
"""Processor time after which the process surely ends, whatever its pages took."""


def main() -> None:
    """Serve the parent on standard input and output."""
    source, target = sys.stdin.buffer, sys.stdout.buffer
    confine()
    while (message := _read(source)) is not None:
        target.write(framed(_answer(message)))
        target.flush()


def confine() -> None:
    """Give up what parsing does not need."""
    harden_process()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    resource.setrlimit(resource.RLIMIT_CPU, (LIFE_S, LIFE_S))


def _read(source: BinaryIO) -> dict[str, Any] | None:
    head = source.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (size,) = LENGTH.unpack(head)
    body = source.read(size)
    message: dict[str, Any] | None = json.loads(body) if len(body) == size else None
    return message


def _answer(message: dict[str, Any]) -> dict[str, Any]:
    """Parse one page within its time; the kernel ends the process when that is over."""
    started_s = time.process_time()
    _limit(started_s, message["cpu_s"])
    try:
        answer = page_message(parse_page(flatten(message["text"]), message["url"]))
    except RefusedError as error:
        answer = {"refused": error.code}
    except (MemoryError, RecursionError):
        os._exit(1)
    signal.setitimer(signal.ITIMER_PROF, 0)
    answer["cpu_s"] = time.process_time() - started_s
    return answer


def _limit(used_s: float, cpu_s: float) -> None:
    """Let SIGPROF end the process after ``cpu_s``, and SIGXCPU should that be missed (whole seconds)."""
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    soft_s = min(LIFE_S, math.ceil(used_s + cpu_s) + 1)
    resource.setrlimit(resource.RLIMIT_CPU, (soft_s, LIFE_S))
