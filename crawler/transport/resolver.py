"""Resolve host names for the transport and keep what was answered.

With name servers configured, dnspython asks them; otherwise the system's resolver is asked. Onion names are
never sent to either (RFC 7686). Answers are kept for their own time to live, never longer than five minutes.
"""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING, Any

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver

from caselog.errors import ConfigError
from caselog.guard import may_contact

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crawler.transport.fetch import DnsAnswer

KEEP_MAX_S = 300
SYSTEM_KEEP_S = 10
"""The system's resolver does not tell a time to live."""
_KEPT_MAX = 2048
_NO_SUCH_NAME = {socket.EAI_NONAME}
_NO_ADDRESS = {getattr(socket, "EAI_NODATA", socket.EAI_NONAME), getattr(socket, "EAI_ADDRFAMILY", 0)}


class ResolveError(OSError):
    """The name has no address for us.

    Args:
        code: ``nxdomain``, ``nodata``, ``servfail``, ``timeout`` or ``onion``.
    """

    def __init__(self, code: str) -> None:
        super().__init__(f"no address: {code}")
        self.code = code


class Resolver:
    """Give all answers for a host, and keep them for their time.

    Args:
        nameservers: ``ip``, ``ip:port`` or ``[ip6]:port``; empty means the system's resolver.
        practice: Name servers must then be loopback.
        timeout_s: For one whole look-up.

    Raises:
        ConfigError: A name server is no IP address, or not loopback in a practice workspace.
    """

    def __init__(
        self,
        nameservers: Iterable[str] = (),
        *,
        practice: bool,
        timeout_s: float = 10.0,
    ) -> None:
        self._servers = [parse_nameserver(text, practice=practice) for text in nameservers]
        self._timeout_s = timeout_s
        self._kept: dict[str, tuple[float, tuple[DnsAnswer, ...]]] = {}

    async def answers(self, host: str) -> tuple[DnsAnswer, ...]:
        """Give all answers for ``host``, aliases included; raises `ResolveError`."""
        name = host.rstrip(".").lower()
        if name == "onion" or name.endswith(".onion"):
            raise ResolveError("onion")
        kept = self._kept.get(name)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        answers = await (self._ask_servers(name) if self._servers else self._ask_system(name))
        self._keep(name, answers)
        return answers

    async def close(self) -> None:
        """Forget the kept answers."""
        self._kept.clear()

    def _keep(self, name: str, answers: tuple[DnsAnswer, ...]) -> None:
        if len(self._kept) >= _KEPT_MAX:
            self._kept.clear()
        lives = [int(answer["ttl"]) for answer in answers if answer["ttl"] is not None]
        self._kept[name] = (time.monotonic() + min(lives, default=SYSTEM_KEEP_S), answers)

    async def _ask_system(self, name: str) -> tuple[DnsAnswer, ...]:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeout_s):
                found = await loop.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except TimeoutError:
            raise ResolveError("timeout") from None
        except socket.gaierror as error:
            raise ResolveError(_system_code(error)) from None
        except UnicodeError:
            raise ResolveError("nxdomain") from None
        values = dict.fromkeys(str(item[4][0]) for item in found)
        return tuple(_answer(name, "AAAA" if ":" in value else "A", value, None) for value in values)

    async def _ask_servers(self, name: str) -> tuple[DnsAnswer, ...]:
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = list(self._servers)
        resolver.lifetime = self._timeout_s
        resolver.timeout = self._timeout_s / 2
        both = await asyncio.gather(_ask(resolver, name, "A"), _ask(resolver, name, "AAAA"))
        answers = tuple(answer for found in both if not isinstance(found, str) for answer in found)
        if any(answer["type"] in {"A", "AAAA"} for answer in answers):
            return tuple({tuple(answer.items()): answer for answer in answers}.values())
        codes = [found for found in both if isinstance(found, str)]
        raise ResolveError(
            next((code for code in ("nxdomain", "timeout", "servfail") if code in codes), "nodata")
        )


def parse_nameserver(text: str, *, practice: bool) -> dns.nameserver.Nameserver:
    """Give the name server that ``text`` names: ``ip``, ``ip:port``, ``[ip6]:port`` or a bare IPv6 address.

    Raises:
        ConfigError: It is no IP address, or not loopback in a practice workspace.
    """
    address, port = text, "53"
    if text.startswith("["):
        address, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":") or "53"
    elif text.count(":") == 1:
        address, _, port = text.partition(":")
    if not port.isdigit() or not _is_ip(address):
        raise ConfigError("A name server is not an IP address with an optional port.", "Write 192.0.2.1:53.")
    if practice and may_contact(address, practice=True) is not None:
        raise ConfigError("A practice workspace asks only name servers on loopback.", "Use 127.0.0.1.")
    return dns.nameserver.Do53Nameserver(address, int(port))


def _is_ip(text: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text)
        except OSError:
            continue
        return True
    return False


def addresses_in(answers: Iterable[DnsAnswer]) -> tuple[str, ...]:
    """Give the IP addresses among the answers, in order."""
    return tuple(str(answer["value"]) for answer in answers if answer["type"] in {"A", "AAAA"})


def _answer(name: str, kind: str, value: str, ttl: int | None) -> DnsAnswer:
    return {"name": name, "type": kind, "value": value, "ttl": ttl}


def _system_code(error: socket.gaierror) -> str:
    if error.errno in _NO_SUCH_NAME:
        return "nxdomain"
    return "nodata" if error.errno in _NO_ADDRESS else "servfail"


async def _ask(resolver: Any, name: str, kind: str) -> list[DnsAnswer] | str:
    """Give the answers of one type, or the code of why there are none."""
    try:
        absolute = dns.name.from_text(name)
        answer = await resolver.resolve(absolute, kind, raise_on_no_answer=False, search=False)
    except dns.resolver.NXDOMAIN:
        return "nxdomain"
    except dns.exception.Timeout:
        return "timeout"
    except (dns.name.LabelTooLong, dns.name.NameTooLong, dns.name.EmptyLabel, UnicodeError):
        return "nxdomain"
    except (dns.exception.DNSException, OSError):
        return "servfail"
    return [
        _answer(
            rrset.name.to_text(omit_final_dot=True),
            dns.rdatatype.to_text(rrset.rdtype),
            record.to_text().rstrip("."),
            min(rrset.ttl, KEEP_MAX_S),
        )
        for rrset in answer.response.answer
        for record in rrset
        if dns.rdatatype.to_text(rrset.rdtype) in {"A", "AAAA", "CNAME", "DNAME"}
    ]
