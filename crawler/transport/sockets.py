"""Open guarded TCP sockets: the one place where the crawler connects to anything outside.

A guarded socket is made after the address guard saw the final address, advertises a small receive window
until the answer has proven to be text, and ends itself when a byte budget is spent. Needs the plain selector
event loop, which reads through the socket object.
"""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

from caselog.guard import may_contact

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import WriteableBuffer

AddressInfo = tuple[int, int, int, str, tuple[object, ...]]

CLOSED_WINDOW_BYTES = 2048
"""``SO_RCVBUF`` before connect: about 1.1 KB may then be acknowledged unread."""
OPEN_WINDOW_BYTES = 16384
"""``SO_RCVBUF`` after the first text passed; the kernel doubles it. Bounds what is lost past a bad byte."""
ADMISSION_BUDGET_BYTES = 60 * 1024
"""Wire bytes (TLS and headers included) that may be read before the answer is admitted; with what the kernel
still acknowledges unread less than 64 KB."""
LAST_BYTES = 2 * OPEN_WINDOW_BYTES
"""Left of the budget when the window closes again: what was offered already is used up by its end."""
CLOSED_PIECE_BYTES = 2048
OPEN_PIECE_BYTES = 16384


class AddressRefusedError(OSError):
    """The guard refuses this address; an ``OSError`` so that a connect loop goes on to the next one.

    Args:
        code: The refusal code for records.
    """

    def __init__(self, code: str) -> None:
        super().__init__("address refused")
        self.code = code


class ProxyError(OSError):
    """The proxy did not connect us.

    Args:
        code: The failure code for records, such as ``proxy`` or ``onion_not_found``.
    """

    def __init__(self, code: str) -> None:
        super().__init__(f"the proxy did not connect: {code}")
        self.code = code


class BudgetSpentError(OSError):
    """The peer sent more than it may; an ``OSError`` so that the event loop drops the connection quietly."""

    def __init__(self) -> None:
        super().__init__("byte budget spent")


class GuardedSocket(socket.socket):
    """Count what arrives and refuse to read on when the budget is spent."""

    __slots__ = (
        "budget_bytes", "is_broken", "is_ended", "is_narrow", "is_spent", "piece_bytes", "received_bytes",
        "when_closed",
    )  # fmt: skip

    def __init__(self, family: int, kind: int, protocol: int) -> None:
        super().__init__(family, kind, protocol)
        self.received_bytes = 0
        self.budget_bytes = ADMISSION_BUDGET_BYTES
        self.piece_bytes = CLOSED_PIECE_BYTES
        self.is_spent = False
        self.is_narrow = True
        """True while the window is small: at first, and again near the end of the budget."""
        self.is_ended = False
        self.is_broken = False
        """True once the peer's reset was read, or the network failed."""
        self.when_closed: Callable[[], None] | None = None

    def close(self) -> None:
        """Close, and say so once to whoever waits for bytes."""
        super().close()
        told, self.when_closed = self.when_closed, None
        if told is not None:
            told()

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Read at most one small piece; raises `BudgetSpentError` when the budget is spent."""
        room = min(bufsize, self._allowed())
        try:
            data = super().recv(room, flags)
        except (BlockingIOError, InterruptedError):
            raise
        except OSError:
            self.is_broken = True
            raise
        self.received_bytes += len(data)
        return data

    def recv_into(self, buffer: WriteableBuffer, nbytes: int = 0, flags: int = 0, /) -> int:
        """Read one small piece into ``buffer``; raises `BudgetSpentError` when the budget is spent."""
        room = min(nbytes or memoryview(buffer).nbytes, self._allowed())
        try:
            count = super().recv_into(buffer, room, flags)
        except (BlockingIOError, InterruptedError):
            raise
        except OSError:
            self.is_broken = True
            raise
        self.received_bytes += count
        return count

    def _allowed(self) -> int:
        if self.is_ended:
            raise BudgetSpentError
        left = self.budget_bytes - self.received_bytes
        if left <= 0:
            self.is_spent = True
            raise BudgetSpentError
        if left <= LAST_BYTES and not self.is_narrow:
            self._set_window(CLOSED_WINDOW_BYTES, is_narrow=True)
        return min(left, self.piece_bytes)

    def _set_window(self, size_bytes: int, *, is_narrow: bool) -> None:
        self.is_narrow = is_narrow
        self.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size_bytes)

    def open_window(self, more_bytes: int) -> None:
        """Let ``more_bytes`` arrive, in bigger pieces, now that the first text is proven."""
        self.budget_bytes = self.received_bytes + more_bytes
        self.piece_bytes = OPEN_PIECE_BYTES
        self._set_window(OPEN_WINDOW_BYTES, is_narrow=more_bytes <= LAST_BYTES)

    def reset_on_close(self) -> None:
        """Read nothing more, and make the coming close a reset, so that the peer stops sending at once."""
        self.is_ended = True
        if self.fileno() >= 0:
            self.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def cut(self) -> None:
        """Make the system refuse whatever still arrives, without waiting for the close."""
        # Not connected, or closed already: nothing can arrive then.
        with suppress(OSError):
            self.shutdown(socket.SHUT_RDWR)


def open_guarded(address_info: AddressInfo, *, practice: bool) -> GuardedSocket:
    """Make the unconnected socket for one final address.

    Raises:
        AddressRefusedError: when the guard refuses the address; no packet was sent.
    """
    family, kind, protocol, _, sockaddr = address_info
    code = may_contact(str(sockaddr[0]), practice=practice)
    if code is not None:
        raise AddressRefusedError(code)
    return _small_window(family, kind, protocol)


def open_to_proxy(address_info: AddressInfo, *, allowed_ip: str) -> GuardedSocket:
    """Make the unconnected socket to a proxy that the operator configured, mostly on loopback.

    Raises:
        AddressRefusedError: when the address is another than the configured one.
    """
    family, kind, protocol, _, sockaddr = address_info
    if str(sockaddr[0]) != allowed_ip:
        raise AddressRefusedError("private_address")
    return _small_window(family, kind, protocol)


def _small_window(family: int, kind: int, protocol: int) -> GuardedSocket:
    guarded = GuardedSocket(family, kind, protocol)
    # Before connect, so that already the first window which the peer sees is small.
    guarded.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, CLOSED_WINDOW_BYTES)
    guarded.settimeout(0)
    return guarded
