"""The one worker of a workspace on this machine: a locked file, in which its heart beats.

A worker that was frozen keeps its lock and can do nothing; whoever comes next kills it and takes its place.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import threading
from typing import TYPE_CHECKING, Any, Final

from caselog.errors import RefusedError
from caselog.slots.identity import machine, started

if TYPE_CHECKING:
    from pathlib import Path

FILE: Final = "worker.lock"
BEAT_S: Final = 1.0
SILENT_S: Final = 10.0
"""A worker whose heart has not beaten for so long stands still."""


class LocalSlot:
    """The place of the one worker on this machine."""

    number = 0

    def __init__(self, descriptor: int, beat_s: float = BEAT_S) -> None:
        self._descriptor = descriptor
        self._child: dict[str, Any] | None = None
        self._beats = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._beat()
        threading.Thread(target=self._go_on, args=(beat_s,), name="worker-heart", daemon=True).start()

    def is_held(self) -> bool:
        """Tell whether the place is ours; a lock on a file is not lost while the process lives."""
        return not self._over.is_set()

    def is_connected(self) -> bool:
        """Tell whether the place is known to be ours."""
        return self.is_held()

    def note_child(self, pid: int | None) -> None:
        """Note the process that must end with this one."""
        self._child = None if pid is None else _process(pid)
        self._beat()

    def leave(self) -> None:
        """Give the place up."""
        with self._lock:
            if not self._over.is_set():
                self._over.set()
                os.close(self._descriptor)

    def _go_on(self, beat_s: float) -> None:
        while not self._over.wait(beat_s):
            self._beat()

    def _beat(self) -> None:
        with self._lock:
            if self._over.is_set():
                return
            self._beats += 1
            state = {"beats": self._beats, "worker": _process(os.getpid()), "child": self._child}
            written = json.dumps({"machine": machine(), **state}).encode()
            # A full disk must not stop the heart: in the worst case the old length is read again.
            with contextlib.suppress(OSError):
                os.pwrite(self._descriptor, written.ljust(400), 0)


def take_local(folder: Path, *, silent_s: float = SILENT_S, beat_s: float = BEAT_S) -> LocalSlot:
    """Take the place of the workspace's one worker; one that stands still is killed.

    Args:
        folder: The workspace.
        silent_s: How long a heart may stand still.
        beat_s: How often ours beats.

    Raises:
        RefusedError: A living worker has it.
    """
    descriptor = os.open(folder / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _lock(descriptor):
            _end_silent(descriptor, silent_s, beat_s)
    except BaseException:
        os.close(descriptor)
        raise
    return LocalSlot(descriptor, beat_s)


def is_held(folder: Path) -> bool:
    """Tell whether a worker has the place, living or frozen."""
    try:
        descriptor = os.open(folder / FILE, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        # Two that only look do not take each other for a worker.
        return not _lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _end_silent(descriptor: int, silent_s: float, beat_s: float) -> None:
    """Wait for a beat of whoever has the lock; when none comes, kill it and take the lock."""
    pause, waited_s, first = threading.Event(), 0.0, _state(descriptor)
    while waited_s < silent_s:
        pause.wait(beat_s / 2)
        waited_s += beat_s / 2
        if _lock(descriptor):
            return
        if _state(descriptor).get("beats") != first.get("beats"):
            raise RefusedError(
                "A worker is at work in this workspace already.",
                "On SQLite there is one; stop it first, or move to PostgreSQL.",
                code="busy",
            )
    _kill_twin(first)
    while not _lock(descriptor):
        pause.wait(beat_s / 10)
        waited_s += beat_s / 10
        if waited_s > 2 * silent_s:
            raise RefusedError(
                "A worker that stands still cannot be ended.", "End its process, then try again.", code="busy"
            )


def _kill_twin(state: dict[str, Any]) -> None:
    """Kill the processes that a state names, where they are still the same ones."""
    if state.get("machine") != machine():
        return
    for named in (state.get("child"), state.get("worker")):
        if isinstance(named, dict) and _is_same(named):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(named["pid"], signal.SIGKILL)


def _is_same(named: dict[str, Any]) -> bool:
    """Tell whether a process that was noted is still the same one, and not this."""
    if not isinstance(named.get("pid"), int):
        return False
    return named == _process(named["pid"]) and named["pid"] != os.getpid()


def _state(descriptor: int) -> dict[str, Any]:
    try:
        found = json.loads(os.pread(descriptor, 4000, 0))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _process(pid: int) -> dict[str, Any] | None:
    at = started(pid)
    return None if at is None else {"pid": pid, "started": at}
