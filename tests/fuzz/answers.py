"""What must hold for the whole HTTP client, whatever bytes a server answers with.

The first byte chooses how the client asks and how the answer is cut; the rest goes out as it is, and then the
server says no more. So every fetch ends by itself: one that runs into its deadline is a finding.
"""

from __future__ import annotations

import asyncio
import socket
from functools import cache

from multidict import CIMultiDict

from crawler.transport.admission import NotTextError, TextProof, admit_headers
from crawler.transport.client import Transport
from crawler.transport.fetch import Answer, FetchFailed, Limits, Refused

PAGE_BYTES = 64 * 1024
LIMITS = Limits(connect_s=5, idle_s=5, total_s=5, page_bytes=PAGE_BYTES)
HANGING = frozenset({"deadline", "read_timeout", "connect_timeout"})
FIRST = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"


class BrokenAnswerError(AssertionError):
    """A property of the client does not hold."""


def answers(data: bytes) -> None:
    """A fetch gives text, a refusal or a failure, at once; no body but a proven one comes out."""
    how, body = (data[0], data[1:]) if data else (0, b"")
    if how & 2:
        body = FIRST + body
    got = asyncio.run(_fetched(body, read_errors=bool(how & 1), cut=how >> 2))
    if isinstance(got, Answer):
        _judge(got, read_errors=bool(how & 1))
    elif got.code in HANGING:
        raise BrokenAnswerError(f"the fetch hung: {got.code}")
    elif "127.0.0.1" in str(got):
        raise BrokenAnswerError("the message names the address")


def _judge(got: Answer, *, read_errors: bool) -> None:
    if not got.body:
        return
    if not (200 <= got.status < 300 or (read_errors and got.status >= 400)):
        raise BrokenAnswerError("a body that was not wanted")
    headers = CIMultiDict((name.decode("latin-1"), value.decode("latin-1")) for name, value in got.headers)
    if admit_headers(headers, limit_bytes=PAGE_BYTES).refused is not None:
        raise BrokenAnswerError("a body whose headers are refused")
    proof = TextProof(got.fetch.charset, limit_bytes=PAGE_BYTES)
    try:
        proof.feed(got.body)
        proof.finish()
    except NotTextError:
        raise BrokenAnswerError("a body that is no text") from None


@cache
def _transport() -> Transport:
    return Transport(practice=True, user_agent="test", limits=LIMITS)


async def _fetched(body: bytes, *, read_errors: bool, cut: int) -> Answer | Refused | FetchFailed:
    """Give the outcome of one fetch from a server that sends ``body``, cut in two at ``cut``."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            at = len(body) * cut // 63
            writer.write(body[:at])
            if cut % 3 == 1:
                await asyncio.sleep(0)  # lets the client read what came so far
            writer.write(body[at:])
            writer.write_eof()
            while await reader.read(4096):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, family=socket.AF_INET)
    async with server:
        port = server.sockets[0].getsockname()[1]
        try:
            return await _transport().fetch(f"http://127.0.0.1:{port}/", read_errors=read_errors)
        except (Refused, FetchFailed) as error:
            return error
        finally:
            await _transport().close()
