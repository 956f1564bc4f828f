"""A SOCKS5 proxy on loopback that leads every name to one port, or answers with an error."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType


@dataclass
class SocksServer:
    """Speak RFC 1928 and 1929; `with` starts and ends it.

    Args:
        target_port: The loopback port that every name leads to.
        reply: The reply field; 0 connects.
        wants_login: Choose user name and password, else no log-in.
        garbage: Sent instead of anything sensible.
    """

    target_port: int
    reply: int = 0
    wants_login: bool = True
    garbage: bytes = b""
    asked: list[tuple[str, str, int]] = field(default_factory=list)
    """User name, host name and port of each request."""
    replies: list[int] = field(default_factory=list)
    """Taken first, one a connection, instead of `reply`."""
    circles: list[str] = field(default_factory=list)
    """The password of each log-in."""

    def __enter__(self) -> SocksServer:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError, IndexError):
            if self.garbage:
                client.recv(512)
                client.sendall(self.garbage)
                return
            client.recv(2 + client.recv(2, socket.MSG_PEEK)[1])
            client.sendall(b"\x05\x02" if self.wants_login else b"\x05\x00")
            user = self._login(client) if self.wants_login else ""
            request = client.recv(512)
            name = request[5 : 5 + request[4]].decode()
            self.asked.append((user, name, int.from_bytes(request[-2:], "big")))
            reply = self.replies.pop(0) if self.replies else self.reply
            client.sendall(b"\x05" + bytes([reply]) + b"\x00\x01\x00\x00\x00\x00\x00\x00")
            if reply == 0:
                self._relay(client)

    def _login(self, client: socket.socket) -> str:
        login = client.recv(512)
        client.sendall(b"\x01\x00")
        self.circles.append(login[3 + login[1] :].decode())
        return login[2 : 2 + login[1]].decode()

    def _relay(self, client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self.target_port)) as server:
            back = threading.Thread(target=_copy, args=(server, client), daemon=True)
            back.start()
            _copy(client, server)
            back.join(5)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
