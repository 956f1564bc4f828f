"""Read IP addresses and ranges as registries write them: zero-padded, with prefixes, mapped."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_WIDEST_PREFIX = {4: 8, 6: 16}


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A closed range of addresses of one family."""

    first: Address
    last: Address

    def holds(self, ip: Address) -> bool:
        """Say whether `ip` lies in the range."""
        return ip.version == self.first.version and int(self.first) <= int(ip) <= int(self.last)

    def size(self) -> int:
        """Return the number of addresses."""
        return int(self.last) - int(self.first) + 1

    def is_registry_block(self) -> bool:
        """Say whether the range is wider than any holder's: then it tells nothing about a host."""
        bits = self.first.max_prefixlen - _WIDEST_PREFIX[self.first.version]
        return self.size() > 1 << bits

    def __str__(self) -> str:
        return f"{self.first} - {self.last}"


def parse_address(text: str) -> Address | None:
    """Return the address that `text` writes, or None; IPv4-mapped IPv6 is unwrapped.

    Scoped addresses (`%eth0`) are no addresses of a host, and zero-padded IPv4 is none either: some read it
    as octal, and so as another host.
    """
    text = text.strip()
    if len(text) > 45 or "%" in text:
        return None
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return unwrap(found)


def unwrap(ip: Address) -> Address:
    """Return the IPv4 address inside an IPv4-mapped one, else the address itself."""
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ip


def parse_registry_address(text: str) -> Address | None:
    """Return the address that a registry wrote, which pads with zeros and means decimal."""
    if text.count(".") == 3 and ":" not in text:
        text = ".".join(part.strip().lstrip("0") or "0" for part in text.split("."))
    return parse_address(text)


def parse_span(start: str, end: str) -> Span | None:
    """Return the range from `start` to `end`, each with or without a prefix length (RFC 9083, 5.4)."""
    first = parse_registry_address(start.partition("/")[0])
    last = parse_registry_address(end.partition("/")[0])
    if first is None or last is None or first.version != last.version or int(first) > int(last):
        return None
    return Span(first=first, last=last)


def parse_block(text: str) -> Span | None:
    """Return the range that `192.0.2.0/24`, `192.0.2.0 - 192.0.2.255` or a single address writes."""
    if " - " in text:
        start, _, end = text.partition(" - ")
        return parse_span(start, end)
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None
    return Span(first=network[0], last=network[-1])
