"""The guarded socket: who may be reached, and how much may arrive."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from crawler.transport import sockets
from crawler.transport.sockets import (
    ADMISSION_BUDGET_BYTES,
    AddressRefusedError,
    BudgetSpentError,
    GuardedSocket,
    open_guarded,
    open_to_proxy,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


def info(ip: str, port: int = 80) -> tuple[int, int, int, str, tuple[object, ...]]:
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    return (int(family), int(socket.SOCK_STREAM), 0, "", (ip, port))


@pytest.fixture
def pair() -> Iterator[tuple[GuardedSocket, socket.socket]]:
    """A guarded socket and the other end of its connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        guarded = open_guarded(info("127.0.0.1"), practice=True)
        guarded.settimeout(5)
        guarded.connect(listener.getsockname())
        peer, _ = listener.accept()
        with guarded, peer:
            yield guarded, peer


@pytest.mark.parametrize("ip", ["127.0.0.1", "10.0.0.1", "::1", "169.254.169.254", "::ffff:127.0.0.1"])
def test_no_socket_is_made_to_a_private_address(ip: str) -> None:
    with pytest.raises(AddressRefusedError) as refusal:
        open_guarded(info(ip), practice=False)

    assert refusal.value.code == "private_address"


def test_no_socket_is_made_when_the_guard_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(sockets, "may_contact", broken)

    with pytest.raises(ZeroDivisionError):
        open_guarded(info("127.0.0.1"), practice=True)


def test_a_proxy_socket_reaches_the_configured_address_only() -> None:
    with pytest.raises(AddressRefusedError):
        open_to_proxy(info("127.0.0.2"), allowed_ip="127.0.0.1")


def test_the_receive_window_is_small_before_connect() -> None:
    with open_guarded(info("127.0.0.1"), practice=True) as guarded:
        assert guarded.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) <= 2 * 2304


def test_reading_stops_when_the_budget_is_spent(pair: tuple[GuardedSocket, socket.socket]) -> None:
    guarded, peer = pair
    guarded.budget_bytes = 3000
    peer.sendall(b"b" * 1000)
    peer.sendall(b"b" * 3000)
    got = sum(len(guarded.recv(65536)) for _ in iter(lambda: guarded.received_bytes < 3000, False))

    with pytest.raises(BudgetSpentError):
        guarded.recv(65536)

    assert (got, guarded.is_spent) == (3000, True)


def test_reading_into_a_buffer_counts_as_well(pair: tuple[GuardedSocket, socket.socket]) -> None:
    guarded, peer = pair
    guarded.budget_bytes = 3000
    peer.sendall(b"b" * 4000)
    room = bytearray(65536)
    got = sum(guarded.recv_into(room) for _ in iter(lambda: guarded.received_bytes < 3000, False))

    with pytest.raises(BudgetSpentError):
        guarded.recv_into(room)

    assert got == 3000


def test_the_first_budget_is_small(pair: tuple[GuardedSocket, socket.socket]) -> None:
    assert pair[0].budget_bytes == ADMISSION_BUDGET_BYTES < 62 * 1024


def test_an_open_window_grants_more(pair: tuple[GuardedSocket, socket.socket]) -> None:
    guarded, peer = pair
    guarded.budget_bytes = 100
    peer.sendall(b"b" * 300)
    first = guarded.recv(65536)
    guarded.open_window(200)
    second = guarded.recv(65536)

    assert (len(first), len(second)) == (100, 200)


def test_a_reset_reaches_the_peer(pair: tuple[GuardedSocket, socket.socket]) -> None:
    guarded, peer = pair
    guarded.reset_on_close()
    guarded.close()

    with pytest.raises(ConnectionResetError):
        peer.recv(1)


def test_a_reset_of_a_closed_socket_does_nothing(pair: tuple[GuardedSocket, socket.socket]) -> None:
    pair[0].close()

    pair[0].reset_on_close()

    assert pair[0].fileno() == -1


def test_after_a_reset_nothing_more_is_read(pair: tuple[GuardedSocket, socket.socket]) -> None:
    guarded, peer = pair
    peer.sendall(b"bread")
    guarded.reset_on_close()

    with pytest.raises(BudgetSpentError):
        guarded.recv(65536)

    assert not guarded.is_spent


def test_a_cut_connection_takes_nothing_more(pair: tuple[GuardedSocket, socket.socket]) -> None:
    guarded, peer = pair
    guarded.cut()

    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        peer.sendall(b"b" * 64 * 1024 * 1024)


def test_cutting_a_socket_that_never_connected_does_nothing() -> None:
    with open_guarded(info("127.0.0.1"), practice=True) as guarded:
        guarded.cut()

        assert guarded.fileno() >= 0
