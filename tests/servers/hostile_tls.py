"""Every hostile way to speak TLS, each with what must come of it."""

from __future__ import annotations

import socket
import ssl
import struct
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from OpenSSL import SSL

from tests.servers.hostile import WAIT_S, HostileServer, answer, drip, head, page, raw, silence
from tests.servers.hostile_cases import ADMISSION_BOUND, HTML

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers.certificates import Authority

LOOPBACK = "127.0.0.1"
PAGE = page(3000)
WHOLE = head(HTML, length=len(PAGE)) + PAGE
NO_LENGTH = head(HTML) + PAGE


@dataclass(frozen=True, kw_only=True)
class TlsCase:
    """One hostile TLS server.

    Args:
        outcomes: What may come of a fetch: ``text`` or codes.
        problem: The `tls_problem` that the facts then name.
        connections: How many the server may count.
        requests: How many requests it may read.
        bound_bytes: How much may be acknowledged over all connections, handshakes included.
    """

    name: str
    server: HostileServer
    outcomes: frozenset[str]
    problem: str | None = None
    connections: int = 1
    requests: int = 1
    bound_bytes: int = ADMISSION_BOUND


def tls_cases(authority: Authority) -> Iterator[TlsCase]:
    """Give all cases, each with a server of its own that is not yet started."""
    for table in (_certificates, _versions, _handshakes, _streams):
        yield from table(authority)


def _case(name: str, server: HostileServer, outcomes: str, **rest: object) -> TlsCase:
    return TlsCase(name=name, server=server, outcomes=frozenset(outcomes.split()), **rest)


def _pages(context: ssl.SSLContext) -> HostileServer:
    return HostileServer({"/": answer(PAGE, HTML)}, context)


def _certificates(authority: Authority) -> Iterator[TlsCase]:
    make = authority.server_context
    for problem, context in {
        "expired": make(LOOPBACK, days=(-9, -1)),
        "not_yet_valid": make(LOOPBACK, days=(1, 9)),
        "self_signed": make(LOOPBACK, self_signed=True),
        "wrong_name": make("rye.example"),
        "weak": make(LOOPBACK, weak=True),
    }.items():
        yield _case(f"certificate {problem}", _pages(context), "text", problem=problem, connections=2)
    yield _case("certificate without names", _pages(make()), "text", problem="wrong_name", connections=2)
    wild = _pages(make("*"))
    yield _case("certificate for everything", wild, "text", problem="wrong_name", connections=2)
    yield _case(
        "certificate with a NUL in its name",
        _pages(make(f"{LOOPBACK}\0.rye.example")),
        "text",
        problem="wrong_name",
        connections=2,
    )
    yield _case("100 certificates", _pages(make(LOOPBACK, followers=99)), "text too_large")
    yield _case("300 certificates", _pages(make(LOOPBACK, followers=299)), "too_large tls", requests=0)
    names = [f"oven{number}.bread.example" for number in range(4000)]
    yield _case("certificate of 100 KB", _pages(make(LOOPBACK, *names)), "too_large tls", requests=0)
    bad = make(LOOPBACK, *names[:1500], days=(-9, -1))
    yield _case(
        "bad certificate of 40 KB", _pages(bad), "too_large", requests=0, connections=2, problem="expired"
    )
    tickets = make(LOOPBACK)
    tickets.num_tickets = 2000
    yield _case("2000 session tickets", _pages(tickets), "too_large")


def _versions(authority: Authority) -> Iterator[TlsCase]:
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        old = _lax(authority.server_context(LOOPBACK))
        old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        with warnings.catch_warnings(action="ignore"):
            old.maximum_version = version
        yield _case(f"only {version.name}", _pages(old), "text", problem="weak", connections=2)
    foreign = authority.server_context(LOOPBACK)
    foreign.maximum_version = ssl.TLSVersion.TLSv1_2
    foreign.set_ciphers("AES128-SHA")
    yield _case("no shared cipher", _pages(foreign), "tls", problem="weak", connections=2, requests=0)
    second = authority.server_context(LOOPBACK)
    second.set_alpn_protocols(["h2"])
    frames = HostileServer({"/": raw(b"\0\0\x12\4\0\0\0\0\0" + b"\0\3\0\0\0\x64" * 3)}, second)
    yield _case("only http 2", frames, "bad_http tls")
    for mode, outcomes in ((ssl.CERT_OPTIONAL, "text"), (ssl.CERT_REQUIRED, "tls reset bad_http")):
        asking = authority.server_context(LOOPBACK)
        asking.verify_mode = mode
        asking.load_verify_locations(authority.file)
        yield _case(f"client certificate {mode.name}", _pages(asking), outcomes)


def _lax(context: ssl.SSLContext) -> ssl.SSLContext:
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def _handshakes(authority: Authority) -> Iterator[TlsCase]:
    def opening(name: str, script: Callable[[socket.socket], None], outcomes: str) -> TlsCase:
        return _case(name, HostileServer({}, opening=script, is_tls=True), outcomes, requests=0)

    yield opening("silence before the handshake", _silent_after_hello, "connect_timeout")
    yield opening("plain answer on a tls port", _after_hello(WHOLE), "tls")
    yield opening("reset in the handshake", _after_hello(b"", resets=True), "reset tls")
    yield opening("end in the handshake", _after_hello(b""), "reset tls")
    yield opening("fatal alert", _after_hello(b"\x15\3\3\0\2\2\x50"), "tls")
    yield opening("alert drip", drip(b"", b"\x15\3\3\0\2\1\x64", 0.05), "tls connect_timeout")
    yield opening("endless alerts", _endless(b"\x15\3\3\0\2\1\x64" * 500), "tls too_large")
    yield opening("endless empty records", _endless(b"\x16\3\3\0\0" * 500), "tls too_large")
    yield opening("endless cipher changes", _endless(b"\x14\3\3\0\1\1" * 500), "tls too_large")
    record = b"\x16\3\3\x40\0" + b"\2\xff\xff\xff" + b"\3\3" * 8190
    yield opening("hello of 16 MB", _endless(record), "tls too_large")
    yield opening("half a record", drip(b"\x16\3\3\x40\0\2\0\0\x50\3\3", b"", 0.05), "connect_timeout")
    context = authority.server_context(LOOPBACK)
    dripping = HostileServer({}, opening=lambda one: _talk(one, context, b"", pause_s=0.05), is_tls=True)
    yield _case("handshake drip", dripping, "connect_timeout", requests=0)
    yield _case(
        "tls answer on a plain port",
        HostileServer({}, authority.server_context(LOOPBACK), is_tls=False),
        "bad_http reset",
        requests=0,
    )


def _streams(authority: Authority) -> Iterator[TlsCase]:
    """Give servers that shake hands well and then speak badly."""
    context = authority.server_context(LOOPBACK)

    def talking(name: str, data: bytes, outcomes: str, **how: object) -> TlsCase:
        def script(connection: socket.socket) -> None:
            _talk(connection, context, data, **how)

        return _case(name, HostileServer({}, opening=script, is_tls=True), outcomes, requests=0)

    yield talking("record drip", WHOLE, "deadline read_timeout", answer_pause_s=0.05)
    yield talking("half a record and silence", WHOLE, "deadline read_timeout", cut_bytes=50, waits=True)
    yield talking("no closing alert, whole by its length", WHOLE, "text")
    yield talking("no closing alert and no length", NO_LENGTH, "truncated")
    yield talking("cut within a record", NO_LENGTH, "truncated reset", cut_bytes=50)
    yield talking("fatal alert in the body", NO_LENGTH, "truncated reset tls", after=b"\x15\3\3\0\2\2\x28")
    yield talking(
        "noise in the body", NO_LENGTH, "truncated reset tls", after=b"\x17\3\3\0\x40" + b"\xff" * 64
    )
    yield talking("plain text in the body", NO_LENGTH, "truncated reset tls", after=PAGE)
    yield talking("alert of warning in the body", NO_LENGTH, "truncated reset tls", after=b"\x15\3\3\0\2\1\0")
    renegotiating = HostileServer({}, opening=lambda one: _renegotiate(one, authority), is_tls=True)
    yield _case(
        "renegotiation in the body",
        renegotiating,
        "deadline read_timeout truncated reset tls text",
        requests=0,
    )


def _silent_after_hello(connection: socket.socket) -> None:
    connection.recv(65536)
    silence(connection)


def _endless(data: bytes) -> Callable[[socket.socket], None]:
    def script(connection: socket.socket) -> None:
        connection.recv(65536)
        while True:
            connection.sendall(data)

    return script


def _after_hello(data: bytes, *, resets: bool = False) -> Callable[[socket.socket], None]:
    def script(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(data)
        if resets:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return script


def _talk(
    connection: socket.socket,
    context: ssl.SSLContext,
    data: bytes,
    *,
    pause_s: float = 0.0,
    answer_pause_s: float = 0.0,
    cut_bytes: int = 0,
    after: bytes = b"",
    waits: bool = False,
) -> None:
    """Shake hands, read the request, send ``data`` as shaped by the caller, and close without an alert."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            _send(connection, outgoing.read(), pause_s)
            incoming.write(connection.recv(65536))
    _send(connection, outgoing.read(), pause_s)
    request = b""
    while b"\r\n\r\n" not in request:
        with suppress(ssl.SSLWantReadError):
            request += tls.read(65536)
            continue
        incoming.write(connection.recv(65536))
    tls.write(data)
    sealed = outgoing.read()
    _send(connection, sealed[: len(sealed) - cut_bytes] + after, answer_pause_s)
    if waits:
        silence(connection)


def _send(connection: socket.socket, data: bytes, pause_s: float) -> None:
    if not pause_s:
        connection.sendall(data)
        return
    for place in range(len(data)):
        connection.sendall(data[place : place + 1])
        time.sleep(pause_s)


def _renegotiate(connection: socket.socket, authority: Authority) -> None:
    """Ask for a new handshake in the middle of the body (TLS 1.2)."""
    authority.server_context(LOOPBACK)
    newest = max(authority.folder.glob("leaf*.pem"), key=lambda path: path.stat().st_mtime_ns)
    context = SSL.Context(SSL.TLS_METHOD)
    context.use_privatekey_file(str(newest))
    context.use_certificate_file(str(newest))
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    connection.settimeout(None)
    talking = SSL.Connection(context, connection)
    talking.set_accept_state()
    with suppress(SSL.Error):
        talking.do_handshake()
        talking.recv(65536)
        talking.sendall(head(HTML, length=len(PAGE)) + PAGE[:1000])
        talking.renegotiate()
        talking.do_handshake()
        connection.settimeout(WAIT_S)
        talking.sendall(PAGE[1000:])
