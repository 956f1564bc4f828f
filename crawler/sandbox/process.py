"""Start the parsing process, ask it, end it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

from crawler.sandbox.wire import LENGTH, MOST_BYTES, framed

if TYPE_CHECKING:
    from typing import Self

_KEPT_VARIABLES: Final = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONHOME")
"""The process sees nothing else of the environment, so no secret of ours."""
_START: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from crawler.sandbox.worker import main; main()"
)


class Process:
    """One parsing process at the other end of a pair of sockets; it ends when this end is closed."""

    def __init__(
        self, child: subprocess.Popen[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._child = child
        self._reader = reader
        self._writer = writer

    @classmethod
    async def start(cls) -> Self:
        """Start a process; its own preparations run beside us."""
        ours, theirs = socket.socketpair()
        with theirs:
            child = subprocess.Popen(  # noqa: ASYNC220, S603 - our own interpreter; returns at once
                [sys.executable, "-c", _START, json.dumps(sys.path)],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
            )
        return cls(child, *await asyncio.open_connection(sock=ours))

    @property
    def id(self) -> int:
        """Give the process id."""
        return self._child.pid

    @property
    def is_over(self) -> bool:
        """Say whether the process has ended."""
        return self._child.poll() is not None

    async def ask(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """Send one message and give the answer, None when the process ended instead."""
        try:
            self._writer.write(framed(message))
            await self._writer.drain()
            (size,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
            if size > MOST_BYTES:
                return None
            answer = json.loads(await self._reader.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            return None
        return answer if isinstance(answer, dict) else None

    async def end(self) -> None:
        """Kill the process and take back what it held."""
        self._child.kill()
        self._child.wait()  # a killed process ends at once
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            return
