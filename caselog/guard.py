"""Say which IP addresses may be contacted: pure, used by every client that opens a connection.

Live workspaces reach global unicast addresses only; practice workspaces reach loopback only. Addresses that
carry another address inside (IPv4-mapped, 6to4, NAT64, Teredo) are judged by what they carry as well.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

PRIVATE_ADDRESS = "private_address"

_NAT64_WELL_KNOWN = IPv6Network("64:ff9b::/96")  # RFC 6052, 2.1; 64:ff9b:1::/48 lies outside 2000::/3
_GLOBAL_UNICAST = IPv6Network("2000::/3")  # IANA IPv6 address space: nothing else is assigned
# Special-purpose ranges that some versions of the standard library count as global.
_SPECIAL_V4 = (IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24"))
_SPECIAL_V6 = (IPv6Network("2001::/23"), IPv6Network("3fff::/20"), IPv6Network("5f00::/16"))

Address = IPv4Address | IPv6Address


@lru_cache(maxsize=4096)
def may_contact(ip: str | Address, *, practice: bool) -> str | None:
    """Give ``None`` when ``ip`` may be contacted, else the refusal code.

    Args:
        ip: A literal, or an address object; a scope id (``%eth0``) is cut off and then refused by its range.
        practice: True in a practice workspace, where loopback and nothing else may be contacted.
    """
    address = _parsed(ip)
    if address is None:
        return PRIVATE_ADDRESS
    if practice:
        mapped = _mapped(address)
        return None if (mapped or address).is_loopback else PRIVATE_ADDRESS
    return None if all(_is_public(part) for part in _unwrapped(address)) else PRIVATE_ADDRESS


def _parsed(ip: str | Address) -> Address | None:
    if isinstance(ip, IPv4Address):
        return ip
    try:
        return ip_address(str(ip).partition("%")[0])
    except ValueError:
        return None


def _mapped(address: Address) -> IPv4Address | None:
    return address.ipv4_mapped if isinstance(address, IPv6Address) else None


def _unwrapped(address: Address) -> tuple[Address, ...]:
    """Give the addresses to judge: the one inside for pure wrappers, both where the outer one is real."""
    if isinstance(address, IPv4Address):
        return (address,)
    mapped = address.ipv4_mapped
    if mapped is not None:
        return (mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    if address in _NAT64_WELL_KNOWN:
        return (IPv4Address(int(address) & 0xFFFFFFFF),)
    return (address,)


def _is_public(address: Address) -> bool:
    if address.is_multicast or address.is_unspecified or address.is_reserved or not address.is_global:
        return False
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _SPECIAL_V4)
    return address in _GLOBAL_UNICAST and not any(address in network for network in _SPECIAL_V6)
