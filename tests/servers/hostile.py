"""A raw TCP server that lies, drips, floods and bombs.

It counts what the client's kernel acknowledged (TCP_INFO), which no client can embellish.
"""

from __future__ import annotations

import random
import socket
import ssl
import struct
import threading
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

KB = 1024
_BYTES_ACKED_OFFSET = 120  # struct tcp_info, tcpi_bytes_acked
WAIT_S = 20.0

Script = "Callable[[socket.socket], None]"


@dataclass
class Visit:
    """One connection: its request, and what was acknowledged of the answer."""

    request: bytes = b""
    acked_bytes: int = 0
    """What was acknowledged after the request, TLS handshake left out."""
    total_acked_bytes: int = 0
    is_over: bool = False
    was_reset: bool = False

    @property
    def path(self) -> str:
        return self.request.split(b" ", 2)[1].decode("latin-1") if self.request else ""


@dataclass
class HostileServer:
    """Serve scripts by path on loopback, one thread a connection; `with` starts and ends it.

    Args:
        scripts: What to send for each path; unknown paths are closed at once.
        context: Server-side TLS, if any.
        host: The loopback address to listen on.
        opening: Talks to each connection instead, from its first byte on.
        is_tls: Whether the addresses say https; None: where there is a context.
        wanted_port: 0: any.
    """

    scripts: Mapping[str, Callable[[socket.socket], None]]
    context: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    opening: Callable[[socket.socket], None] | None = None
    is_tls: bool | None = None
    wanted_port: int = 0
    visits: list[Visit] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _open: list[socket.socket] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)
    _is_ending: bool = False

    def __enter__(self) -> HostileServer:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._listener = socket.create_server((self.host, self.wanted_port), family=family, backlog=256)
        self.port = int(self._listener.getsockname()[1])
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_ending = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._accepting.join(WAIT_S)
        for thread in self._threads:
            thread.join(WAIT_S)

    def url(self, path: str, host: str | None = None) -> str:
        scheme = "https" if (bool(self.context) if self.is_tls is None else self.is_tls) else "http"
        name = host or (f"[{self.host}]" if ":" in self.host else self.host)
        return f"{scheme}://{name}:{self.port}{path}"

    def wait_over(self, count: int) -> list[Visit]:
        """Wait until ``count`` connections have ended and give them."""

        def over() -> bool:
            return sum(visit.is_over for visit in self.visits) >= count

        with self._changed:
            if not self._changed.wait_for(over, WAIT_S):
                raise TimeoutError(f"{len(self.visits)} connections, {count} wanted")
            return list(self.visits)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            visit = Visit()
            with self._changed:
                self.visits.append(visit)
            thread = threading.Thread(target=self._serve, args=(connection, visit), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, visit: Visit) -> None:
        talking = connection
        before_bytes = 0
        try:
            if self.opening is not None:
                self.opening(connection)
                return
            if self.context is not None:
                # Around a duplicate, so that the plain one still answers TCP_INFO after the end.
                talking = self.context.wrap_socket(connection.dup(), server_side=True)
            visit.request = _read_head(talking)
            before_bytes = _acked_bytes(connection)
            path = visit.request.split(b" ", 2)[1].decode("ascii", "replace") if visit.request else ""
            script = self.scripts.get(path)
            if script is not None:
                script(talking)
                _say_goodbye(talking)
                connection.shutdown(socket.SHUT_WR)
                connection.settimeout(WAIT_S)
                while connection.recv(65536):
                    pass
        except OSError as error:
            visit.was_reset = isinstance(error, ConnectionResetError | BrokenPipeError)
        finally:
            with suppress(OSError):
                visit.total_acked_bytes = _acked_bytes(connection)
                visit.acked_bytes = visit.total_acked_bytes - before_bytes
            if talking is not connection:
                talking.close()
            connection.close()
            with self._changed:
                visit.is_over = True
                self._changed.notify_all()


def _say_goodbye(talking: socket.socket) -> None:
    """End TLS by its closing alert, without waiting for the other's."""
    if isinstance(talking, ssl.SSLSocket):
        talking.settimeout(0)
        # Half closed or reset by its script, there is nothing left to say it with.
        with suppress(OSError, ValueError):
            talking.unwrap()


def _acked_bytes(connection: socket.socket) -> int:
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return int(struct.unpack_from("<Q", info, _BYTES_ACKED_OFFSET)[0])


def _read_head(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return b""
        data += piece
    return data


def head(*lines: str, status: str = "200 OK", length: int | None = None) -> bytes:
    """Give the head of an answer."""
    announced = [] if length is None else [f"Content-Length: {length}"]
    return "\r\n".join([f"HTTP/1.1 {status}", *announced, *lines, "", ""]).encode("latin-1")


def answer(body: bytes, *lines: str, status: str = "200 OK") -> Callable[[socket.socket], None]:
    """Give the script of a whole answer with its length."""
    return raw(head(*lines, status=status, length=len(body)) + body)


def raw(data: bytes) -> Callable[[socket.socket], None]:
    """Give the script that sends just these bytes."""
    return lambda connection: connection.sendall(data)


def endless(start: bytes, again: bytes, *, times: int = 1_000_000) -> Callable[[socket.socket], None]:
    """Give the script that sends ``start`` and then ``again`` for as long as anybody listens."""

    def script(connection: socket.socket) -> None:
        connection.sendall(start)
        for _ in range(times):
            connection.sendall(again)

    return script


def drip(start: bytes, again: bytes, pause_s: float) -> Callable[[socket.socket], None]:
    """Give the script that sends ``start`` and then ``again`` from time to time."""

    def script(connection: socket.socket) -> None:
        connection.sendall(start)
        connection.settimeout(pause_s)
        while True:
            connection.sendall(again)
            # Waits for the client to leave: a reset raises, silence lets the next drop fall.
            with suppress(TimeoutError):
                if not connection.recv(1):
                    return

    return script


def silence(connection: socket.socket) -> None:
    """Send nothing until the client leaves."""
    connection.settimeout(WAIT_S)
    connection.recv(1)


def gzip_bomb(size_bytes: int) -> bytes:
    """Give gzip that decodes to ``size_bytes`` of blanks."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b" " * (1024 * KB)
    return b"".join(squeeze.compress(block) for _ in range(size_bytes // len(block))) + squeeze.flush()


BODY_BYTES = 400 * KB
_DICE = random.Random(20)
NOISE = _DICE.randbytes(BODY_BYTES)
BREAD = b"<p>Fold the dough every thirty minutes, then let it rest in a cool place.</p>\n"


def page(size_bytes: int) -> bytes:
    """Give an honest page of about this size."""
    start = b"<!doctype html><title>Sourdough</title>\n"
    return (start + BREAD * (size_bytes // len(BREAD) + 1))[:size_bytes]
