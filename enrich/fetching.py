"""Get one small JSON document from a registry: guarded address, one deadline, few redirects, a size cap.

Practice workspaces reach loopback only; live ones global addresses over https only.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urljoin, urlsplit

from caselog.errors import RefusedError, SourceError
from caselog.guard import may_contact
from enrich.interface import NotFoundError, PausedError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

MAX_BODY_BYTES = 1 << 20
TOTAL_TIMEOUT_S = 10.0
MAX_REDIRECTS = 2
DEFAULT_PAUSE = timedelta(minutes=5)
LONGEST_PAUSE = timedelta(days=1)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetcher:
    """Asks registries over HTTP.

    Args:
        practice: True in a practice workspace: loopback only, and plain http is allowed there.
        user_agent: Sent as it is.
        find_addresses: Gives the addresses of a server's name; the system's resolver when None.

    """

    practice: bool
    user_agent: str = "Mozilla/5.0 (compatible)"
    find_addresses: Callable[[str], list[str]] | None = None
    timeout_s: float = TOTAL_TIMEOUT_S

    def get(self, url: str, allowed: Collection[str], now: datetime) -> tuple[str, bytes]:
        """Return the final address and the body of a 200 answer.

        Args:
            url: What to ask.
            allowed: The servers (`host:port`) that may be asked, redirects included.
            now: Start of a pause that the server asks for.

        Raises:
            NotFoundError: The server knows nothing (404).
            PausedError: The server asks for patience (429, 503 with Retry-After).
            SourceError: Anything else went wrong.
            RefusedError: The address may not be contacted.

        """
        deadline = monotonic() + self.timeout_s
        for _ in range(MAX_REDIRECTS + 1):
            parts = self._checked(url, allowed)
            status, headers, body = self._ask(parts, deadline)
            location = headers.get("location")
            if status not in _REDIRECTS or not location:
                _judge(status, headers.get("retry-after"), now)
                return url, body
            url = urljoin(url, location)
        raise SourceError("A registry redirects in circles.", "Ask the registry by hand.")

    def _checked(self, url: str, allowed: Collection[str]) -> SplitResult:
        server = server_of(url)
        if server is None or server not in allowed:
            raise RefusedError("A registry points to a server that is none.", code="redirect_scope")
        parts = urlsplit(url)
        if parts.scheme != "https" and not (self.practice and parts.scheme == "http"):
            raise RefusedError("A registry was to be asked without encryption.", code="scheme")
        return parts

    def _ask(self, parts: SplitResult, deadline: float) -> tuple[int, dict[str, str], bytes]:
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        sockets: list[socket.socket | ssl.SSLSocket] = [self._connect(host, port, deadline)]
        # The watchdog ends a server that drips: socket time-outs only bound the gaps.
        watchdog = threading.Timer(max(0.0, deadline - monotonic()), _cut, (sockets,))
        watchdog.daemon = True
        watchdog.start()
        try:
            if parts.scheme == "https":
                tls = _begin_tls(sockets[0], host)
                sockets.append(tls)
                tls.do_handshake()
            found = self._exchange(sockets[-1], parts)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise SourceError(
                "A registry did not answer properly.", "Run the look-up again later."
            ) from error
        finally:
            watchdog.cancel()
            for sock in sockets:
                sock.close()
        if monotonic() >= deadline:
            raise SourceError("A registry is too slow.", "Run the look-up again later.")
        return found

    def _exchange(self, sock: socket.socket, parts: SplitResult) -> tuple[int, dict[str, str], bytes]:
        path = parts.path or "/"
        target = f"{path}?{parts.query}" if parts.query else path
        lines = (
            f"GET {target} HTTP/1.1",
            f"Host: {parts.netloc}",
            f"User-Agent: {self.user_agent}",
            "Accept: application/rdap+json, application/json",
            "Accept-Encoding: identity",
            "Connection: close",
        )
        sock.sendall("\r\n".join((*lines, "", "")).encode("ascii"))
        response = http.client.HTTPResponse(sock, method="GET")
        try:
            response.begin()
            headers = {name.lower(): value for name, value in response.getheaders()}
            body = response.read(MAX_BODY_BYTES + 1) if response.status == 200 else b""
        finally:
            response.close()
        if len(body) > MAX_BODY_BYTES:
            raise SourceError("A registry's answer is too large.", "Ask the registry by hand.")
        if response.status == 200 and response.length:
            # The server promised more than it sent: a part is never taken for the whole.
            raise http.client.IncompleteRead(body, response.length)
        return response.status, headers, body

    def _connect(self, host: str, port: int, deadline: float) -> socket.socket:
        addresses = (self.find_addresses or system_addresses)(host)
        open_to = [ip for ip in addresses if may_contact(ip, practice=self.practice) is None]
        if addresses and not open_to:
            raise RefusedError("A registry's address may not be contacted.", code="private_address")
        for ip in open_to[:4]:
            try:
                return socket.create_connection((ip, port), timeout=max(0.1, deadline - monotonic()))
            except OSError:
                continue
        raise SourceError("A registry could not be reached.", "Run the look-up again later.")


def system_addresses(host: str) -> list[str]:
    """Return the addresses of a server's name; none when it has none."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(str(item[4][0]) for item in found))


def server_of(url: str) -> str | None:
    """Return `host:port` of an http or https address without user part, else None."""
    if not url.isascii() or not url.isprintable() or " " in url or len(url) > 2000:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        return None
    return f"{parts.hostname}:{port or (443 if parts.scheme == 'https' else 80)}"


def _begin_tls(sock: socket.socket, host: str) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    return context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)


def _cut(sockets: list[socket.socket | ssl.SSLSocket]) -> None:
    try:
        sockets[-1].shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def _judge(status: int, retry_after: str | None, now: datetime) -> None:
    if status == 200:
        return
    if status == 404:
        raise NotFoundError("The registry knows nothing about this.")
    if status == 429 or (status == 503 and retry_after):
        raise PausedError("A registry asks for patience.", retry_at=retry_time(retry_after, now))
    raise SourceError(f"A registry answered with status {status}.", "Run the look-up again later.")


def retry_time(value: str | None, now: datetime) -> datetime:
    """Return when Retry-After allows the next question (RFC 9110, 10.2.3); at most a day ahead."""
    text = (value or "").strip()
    wanted = now + DEFAULT_PAUSE
    if text.isascii() and text.isdigit():
        wanted = now + timedelta(seconds=min(int(text[:9]), int(LONGEST_PAUSE.total_seconds())))
    elif text:
        try:
            stamp = parsedate_to_datetime(text)
            wanted = stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)
        except ValueError:
            pass
    return max(now, min(wanted, now + LONGEST_PAUSE))
