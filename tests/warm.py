"""`leadline` as a program of its own, forked from a process that has its modules loaded.

Each command gets a process, an environment and files of its own, as if it had been started afresh, and
may be killed; what it does not pay for is a second and a half of imports.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

LOADED = (
    "desk.commands.crawl",
    "desk.hosts",
    "desk.practice.demo",
    "exports.notices",
    "crawler.run",
    "twisted.internet.asyncioreactor",
)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@dataclass(kw_only=True)
class Child:
    """One command under way, with the part of Popen that tests use."""

    pid: int
    stdout: IO[bytes]
    stderr: IO[bytes]
    _parent: socket.socket
    returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            with contextlib.suppress(BlockingIOError):
                self._parent.settimeout(0)
                self.returncode = _receive(self._parent)
        return self.returncode

    def wait(self, timeout: float | None = 60) -> int:
        if self.returncode is None:
            self._parent.settimeout(timeout)
            self.returncode = _receive(self._parent)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def communicate(self, timeout: float | None = 60) -> tuple[bytes, bytes]:
        self.wait(timeout)
        return _whole(self.stdout), _whole(self.stderr)


class WarmProgram:
    """A process that forks one command after another; a context manager."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.warm", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={**environment, "PYTHONPATH": ROOT},
                cwd=folder,
            )

    def __enter__(self) -> WarmProgram:
        return self

    def __exit__(self, *_: object) -> None:
        self._ours.close()
        self._process.wait(60)

    def run(
        self, words: Sequence[str], stdin: str, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        child = self.start(*words, environment=environment, stdin=stdin)
        out, err = child.communicate()
        return subprocess.CompletedProcess(words, child.wait(), out.decode(), err.decode())

    def start(self, *arguments: str, environment: Mapping[str, str], stdin: str = "") -> Child:
        """Run a command; the one before must have ended."""
        out = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `communicate`
        err = tempfile.TemporaryFile()  # noqa: SIM115
        order = json.dumps({"arguments": arguments, "environment": dict(environment)}).encode()
        with tempfile.TemporaryFile() as typed:
            typed.write(stdin.encode())
            typed.seek(0)
            socket.send_fds(self._ours, [order], [typed.fileno(), out.fileno(), err.fileno()])
        self._ours.settimeout(60)
        return Child(pid=_receive(self._ours), stdout=out, stderr=err, _parent=self._ours)


def _receive(connection: socket.socket) -> int:
    received = connection.recv(64)
    assert received, "the warm process has ended"
    return int(received)


def _whole(file: IO[bytes]) -> bytes:
    if file.closed:
        return b""
    with file:
        file.seek(0)
        return file.read()


# ---- in the warm process


def serve(connection: socket.socket) -> None:
    """Fork a command for each order, and tell its process id and its status."""
    for name in LOADED:
        importlib.import_module(name)
    while True:
        order, files, _, _ = socket.recv_fds(connection, 1 << 16, 3)
        if not order:
            return
        pid = os.fork()
        if pid == 0:
            connection.close()
            _become(json.loads(order), files)
        for file in files:
            os.close(file)
        connection.send(str(pid).encode())
        connection.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())


def _become(order: dict[str, Any], files: list[int]) -> None:
    """Be the command, to the end of this process."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv[1:] = order["arguments"]
    from desk.cli import main

    main()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    serve(socket.socket(fileno=int(sys.argv[1])))
