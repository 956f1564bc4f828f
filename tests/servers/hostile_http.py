"""Hostile framing: odd lengths, chunks, heads, statuses, ends, redirects; and what must come of each."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.servers.hostile import NOISE, WAIT_S, endless, head, page, raw
from tests.servers.hostile_cases import (
    CHUNKED,
    CONTENT_BOUND,
    HTML,
    MB,
    PAGE,
    PRIVATE,
    Case,
    bad,
    by_head,
    case,
    contents,
    drips,
    encodings,
    floods,
    read,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.hostile_cases import Script


def http_cases() -> Iterator[Case]:
    """Give all cases."""
    for table in (
        drips,
        floods,
        encodings,
        contents,
        _lengths,
        _chunks,
        _heads,
        _statuses,
        _ends,
        _redirects,
    ):
        yield from table()


def _lengths() -> Iterator[Case]:
    def with_length(*values: str) -> bytes:
        return head(HTML, *(f"Content-Length: {value}" for value in values)) + PAGE

    yield bad("length too long", head(HTML, length=9000) + PAGE, "truncated")
    yield case(
        "length too short",
        endless(head(HTML, length=1000) + page(1000), NOISE, times=50),
        "text bad_http",
        body=page(1000),
    )
    yield by_head("length of 90 MB", head(HTML, length=90_000_000), "too_large")
    yield bad("length negative", with_length("-5"))
    yield bad("length with plus", with_length("+3000"))
    yield bad("length huge", with_length("9" * 30))
    yield bad("length of 2^64", with_length(str(2**64)))
    yield bad("length of 2^64 and 3000", with_length(str(2**64 + 3000)))
    yield bad("length in hex", with_length("0xbb8"))
    yield bad("length in words", with_length("bread"))
    yield bad("length empty", with_length(""))
    yield bad("length with space inside", with_length("30 00"))
    yield bad("length as a list", with_length("3000, 3000"))
    yield bad("lengths that differ", with_length("3000", "10"))
    yield bad("lengths that agree", with_length("3000", "3000"))
    yield bad("length and chunks", head(HTML, CHUNKED, length=3) + b"5\r\nbread\r\n0\r\n\r\n")
    yield bad("chunks and length", head(CHUNKED, HTML, "Content-Length: 3") + b"5\r\nbread\r\n0\r\n\r\n")
    yield bad("length in other digits", with_length("\xb3\xb9"))


def _chunks() -> Iterator[Case]:
    def coded(value: str, body: bytes = b"5\r\nbread\r\n0\r\n\r\n") -> bytes:
        return head(HTML, f"Transfer-Encoding: {value}") + body

    yield bad("transfer xchunked", coded("xchunked"))
    yield bad("transfer chunked then gzip", coded("chunked, gzip"))
    yield bad("transfer gzip then chunked", coded("gzip, chunked"))
    yield bad("transfer identity then chunked", coded("identity, chunked"))
    yield read("transfer identity", coded("identity", PAGE), PAGE)
    yield bad("transfer chunked twice", coded("chunked, chunked"))
    yield bad("transfer two lines", head(HTML, CHUNKED, CHUNKED) + b"5\r\nbread\r\n0\r\n\r\n")
    yield bad("transfer empty", coded(""))
    yield bad("transfer quoted", coded('"chunked"'))
    yield read("transfer in capitals", coded("CHUNKED"), b"bread")
    start = head(HTML, CHUNKED)
    for name, body in {
        "0x": b"0x5\r\nbread\r\n0\r\n\r\n",
        "negative": b"-5\r\nbread\r\n0\r\n\r\n",
        "plus": b"+5\r\nbread\r\n0\r\n\r\n",
        "overflow": b"ffffffffffffffff5\r\nbread\r\n0\r\n\r\n",
        "letters": b"zz\r\nbread\r\n0\r\n\r\n",
        "empty": b"\r\nbread\r\n0\r\n\r\n",
        "underscore": b"1_0\r\n" + b"a" * 16 + b"\r\n0\r\n\r\n",
        "space before": b" 5\r\nbread\r\n0\r\n\r\n",
    }.items():
        yield bad(f"chunk size {name}", start + body)
    yield bad("chunk without its end", start + b"5\r\nbread5\r\nbread\r\n0\r\n\r\n")
    yield bad("chunk longer than its size", start + b"5\r\nbread and rye\r\n0\r\n\r\n")
    yield bad("chunk size of a terabyte", start + b"ffffffffff\r\n" + PAGE, "truncated too_large")
    yield bad("chunks cut off", start + b"5\r\nbread\r\n", "truncated")
    yield bad("chunk cut off", start + b"50\r\nbread", "truncated")
    yield bad("last chunk without its end", start + b"5\r\nbread\r\n0\r\n", "truncated")
    yield bad("chunk line feeds alone", start + b"5\nbread\n0\n\n", "bad_http truncated")
    yield read("chunk extension", start + b"5;a=b\r\nbread\r\n0\r\n\r\n", b"bread")
    trailers = b"5\r\nbread\r\n0\r\nContent-Type: image/jpeg\r\nContent-Encoding: br\r\n\r\n"
    yield case("trailer with a type", raw(start + trailers), "text bad_http", body=b"bread")
    many = b"5\r\nbread\r\n0\r\n" + b"X-Rye: a\r\n" * 2000 + b"\r\n"
    yield case("2000 trailers", raw(start + many), "text bad_http", body=b"bread")
    old = (
        b"HTTP/1.0 200 OK\r\n"
        + HTML.encode()
        + b"\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbread\r\n0\r\n\r\n"
    )
    yield case("chunks under 1.0", raw(old), "text bad_http", body=b"bread")


def _heads() -> Iterator[Case]:
    def odd(*lines: bytes) -> bytes:
        known = [b"HTTP/1.1 200 OK", HTML.encode(), b"Content-Length: %d" % len(PAGE)]
        return b"\r\n".join([*known, *lines, b"", b""]) + PAGE

    yield bad("nul in a header", odd(b"X-Rye: a\0b"))
    yield bad("nul in a header name", odd(b"X\0Rye: a"))
    yield bad("bare cr in a header", odd(b"X-Rye: a\rContent-Type: image/jpeg"))
    yield case(
        "bare lf between headers",
        raw(b"HTTP/1.1 200 OK\n" + HTML.encode() + b"\n\n" + PAGE),
        "text bad_http",
        body=PAGE,
    )
    yield by_head(
        "type smuggled by bare lf",
        b"HTTP/1.1 200 OK\r\n" + HTML.encode() + b"\nContent-Type: image/png\r\n\r\n",
        "media_type bad_http",
    )
    yield case("folded header", raw(odd(b"X-Rye: a", b"  b")), "text bad_http", body=PAGE)
    yield case(
        "folded type",
        raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/html,\r\n image/png\r\n\r\n" + PAGE),
        "media_type bad_http",
    )
    yield case(
        "fold as first line", raw(b"HTTP/1.1 200 OK\r\n X: a\r\n" + odd()[17:]), "bad_http text", body=PAGE
    )
    yield bad("space before colon", odd(b"X-Rye : a"))
    yield bad(
        "length behind space",
        b"HTTP/1.1 200 OK\r\n" + HTML.encode() + b"\r\nContent-Length : 3\r\n\r\n" + PAGE,
    )
    yield bad("header without a colon", odd(b"bread"))
    yield bad("header without a name", odd(b": bread"))
    yield bad("letters outside ascii in a name", odd("Brötchen: a".encode()))
    yield read("letters outside ascii in a value", odd("X-Rye: Brötchen".encode()), PAGE)
    yield read("broken letters in a value", odd(b"X-Rye: \xff\xfe\x80"), PAGE)
    yield by_head("two types", head(HTML, "Content-Type: image/jpeg"), "media_type bad_http")
    yield by_head("type twice in a line", head("Content-Type: text/html, image/jpeg"), "media_type")
    yield read("no type", head(length=len(PAGE)) + PAGE, PAGE)
    yield case("no type and noise", raw(head() + NOISE), "binary", CONTENT_BOUND)
    yield case(
        "empty type", raw(head("Content-Type:", length=len(PAGE)) + PAGE), "text media_type", body=PAGE
    )
    yield by_head("attachment", head(HTML, "Content-Disposition: attachment"), "attachment")
    yield read(
        "date far away", head(HTML, "Date: Fri, 31 Dec 9999 23:59:59 GMT", length=len(PAGE)) + PAGE, PAGE
    )
    for name, date in {
        "date out of range": "Fri, 99 Foo 99999 99:99:99 GMT",
        "date with a huge zone": "Mon, 01 Jan 2024 00:00:00 +9999999999",
        "date empty": "",
        "date in the year 1": "Mon, 01 Jan 0001 00:00:00 +2359",
    }.items():
        yield read(name, head(HTML, f"Date: {date}", length=len(PAGE)) + PAGE, PAGE)
    yield read("cookies", head(HTML, *["Set-Cookie: a=b; Domain=\x7f"] * 20, length=len(PAGE)) + PAGE, PAGE)
    yield bad("no http", b"SSH-2.0-bread\r\n")
    yield bad("http 0.9", PAGE)
    yield bad("http 2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0" * 20)
    yield bad("http 2 frames", b"\0\0\x12\4\0\0\0\0\0" + b"\0\3\0\0\0\x64" * 3)
    yield bad("http 3.0", b"HTTP/3.0 200 OK\r\n" + HTML.encode() + b"\r\n\r\n" + PAGE)
    yield bad("icy", b"ICY 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n" + NOISE)
    yield bad("a request as answer", b"GET / HTTP/1.1\r\nHost: bread.example\r\n\r\n")


def _statuses() -> Iterator[Case]:
    def status(line: str) -> bytes:
        return f"{line}\r\n{HTML}\r\nContent-Length: {len(PAGE)}\r\n\r\n".encode() + PAGE

    for code in ("99", "000", "20", "2000", "-200", "abc", "2 0", "0200", "2e2"):
        yield bad(f"status {code}", status(f"HTTP/1.1 {code} OK"), "bad_http 0 99")
    for code in ("600", "999"):
        yield bad(f"status {code}", status(f"HTTP/1.1 {code} Odd"), f"bad_http {code}")
    yield read("status without reason", status("HTTP/1.1 200"), PAGE)
    yield read("status with odd reason", status("HTTP/1.1 200 \xe4\xf6\x80"), PAGE)
    yield bad("status with two spaces", status("HTTP/1.1  200 OK"))
    yield bad("status with tab", status("HTTP/1.1\t200\tOK"))
    yield bad("status behind a space", status(" HTTP/1.1 200 OK"), "bad_http text")
    yield bad("status in small letters", status("http/1.1 200 ok"))
    yield bad("status of version 1.10", status("HTTP/1.10 200 OK"))
    yield by_head("204 with a body", head(HTML, status="204 No Content", length=50 * MB), "204 bad_http")
    yield by_head("205 with a body", head(HTML, status="205 Reset Content", length=50 * MB), "205")
    yield by_head("304 with a body", head(HTML, status="304 Not Modified", length=50 * MB), "304 bad_http")
    yield case(
        "101 upgrade",
        endless(
            head("Upgrade: websocket", "Connection: upgrade", status="101 Switching Protocols"),
            b"\x81\x05bread" * 500,
            times=20_000,
        ),
        "bad_http 101 too_large",
    )
    yield by_head(
        "206 part",
        head(HTML, "Content-Range: bytes 0-9/99", status="206 Partial Content", length=9 * MB),
        "bad_http",
    )
    yield by_head(
        "206 of several",
        head("Content-Type: multipart/byteranges; boundary=b", status="206 Partial Content"),
        "bad_http",
    )
    yield by_head("416", head(HTML, "Content-Range: bytes */99", status="416 Range Not Satisfiable"), "416")
    yield by_head("404 with an image", head("Content-Type: image/png", status="404 Not Found"), "404")
    yield by_head("500 without end", head(HTML, status="500 Oops"), "500")
    yield bad("empty page", head(HTML, length=0), "200")
    yield bad("empty page by its end", head(HTML), "200")
    kept = (
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"
        + HTML.encode()
        + b"\r\nContent-Length: %d\r\n\r\n" % len(PAGE)
    )
    yield read("1.0 kept alive", kept + PAGE, PAGE)


def _ends() -> Iterator[Case]:
    whole = head(HTML, length=len(PAGE)) + PAGE
    second = head("Content-Type: image/jpeg", length=len(NOISE)) + NOISE
    yield case("bytes after the end", raw(whole + NOISE), "text bad_http", body=PAGE)
    yield case("a second answer", raw(whole + second), "text bad_http", body=PAGE)
    late = head(HTML, CHUNKED) + b"5\r\nbread\r\n0\r\n\r\n" + second
    yield case("a second answer after chunks", raw(late), "text bad_http", body=b"bread")
    yield case("second answer to a 304", raw(head(status="304 Not Modified") + whole), "304 bad_http")
    yield case("end in the body", raw(head(HTML, length=9000) + PAGE), "truncated")
    yield case("end in the head", raw(b"HTTP/1.1 200 OK\r\nContent-"), "reset bad_http truncated")
    yield case("end before the head", raw(b""), "reset")
    yield case("reset before the head", _reset_after(b""), "reset")
    yield case("reset in the head", _reset_after(b"HTTP/1.1 200 OK\r\nX:"), "reset")
    yield case("reset after the head", _reset_after(head(HTML, length=9000)), "truncated reset")
    yield case("reset in the body", _reset_after(head(HTML, length=9000) + PAGE), "truncated reset")
    yield case("reset in a body without length", _reset_after(head(HTML) + PAGE), "truncated reset")
    yield case("half closed after the page", _half_closed(whole), "text", len(whole) + 64, body=PAGE)
    yield case("half closed in the body", _half_closed(head(HTML, length=9000) + PAGE), "truncated")


def _reset_after(data: bytes) -> Script:
    def script(connection: socket.socket) -> None:
        connection.sendall(data)
        _wait_acknowledged(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        raise ConnectionResetError

    return script


def _wait_acknowledged(connection: socket.socket) -> None:
    """Wait until nothing is unsent, so that a reset does not overtake the data."""
    info = struct.Struct("<I")
    for _ in range(2000):
        unacked = info.unpack_from(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 24)[0]
        if unacked == 0:
            return
        with suppress(TimeoutError):
            connection.settimeout(0.005)
            if not connection.recv(1):
                return


def _half_closed(data: bytes) -> Script:
    """Send and say that nothing more comes, but keep listening until the client leaves."""

    def script(connection: socket.socket) -> None:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(WAIT_S)
        connection.recv(1)

    return script


def _redirects() -> Iterator[Case]:
    for name, target in {
        "itself": "/redirect-to-itself",
        "a private address": PRIVATE,
        "a private literal": "http://2130706433:9/",
        "an inner IPv6 address": "http://[::1]:9/",
        "a file": "file:///etc/hostname",
        "data": "data:text/html,<p>bread",
        "javascript": "javascript:alert(1)",
        "a user": "http://baker:rye@127.0.0.99:9/",
        "an onion": f"http://{'a' * 56}.onion/",
        "another port": "http://127.0.0.1:9/",
        "no scheme": "//127.0.0.99:9/oven",
        "tabs": "ht\ttp://127.0.0.99:9/",
        "nothing": "",
        "backslashes": "\\\\127.0.0.99\\oven",
        "a homograph": "http://xn--bred-mod.example/",
        "a very long address": "/" + "a" * 7000,
        "letters outside ascii": "/br\xf6t",
        "half an address": "http://[::1",
        "two ports": "http://127.0.0.1:9:9/",
    }.items():
        yield by_head(f"redirect to {name}", head(HTML, f"Location: {target}", status="302 Found"), "302")
    split = head("Location: /a\r\nContent-Type: text/html\r\n\r\n<p>bread", status="302 Found", length=0)
    yield case("redirect with lines in it", raw(split), "302 bad_http")
    yield by_head(
        "redirect to two places",
        head("Location: /a", f"Location: {PRIVATE}", status="302 Found"),
        "302 bad_http",
    )
    yield by_head(
        "redirect with a picture",
        head("Content-Type: image/png", "Location: /a", status="301 Moved", length=50 * MB),
        "301",
    )
    yield by_head("redirect without a place", head(HTML, status="302 Found", length=50 * MB), "302")
    yield by_head("300 with choices", head(HTML, status="300 Multiple Choices"), "300")
