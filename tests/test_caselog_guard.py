"""Which addresses may be contacted."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from caselog.guard import PRIVATE_ADDRESS, may_contact

FORBIDDEN_LIVE = [
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1", "192.0.0.8", "192.0.2.7", "198.18.0.1", "198.51.100.7", "203.0.113.7", "224.0.0.1",
    "239.255.255.250", "240.0.0.1", "255.255.255.255", "::", "::1", "::7f00:1", "fe80::1", "fe80::1%eth0",
    "fc00::1", "fd12::1", "fec0::1", "ff02::1", "ff0e::1", "2001:db8::1", "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254", "2002:7f00:1::", "2002:0a00:1::1", "2002:c0a8:101::", "64:ff9b::7f00:1",
    "64:ff9b::a00:1", "64:ff9b:1::1", "64:ff9b:1:7f00:1::", "2001:0:808:808::f5ff:fffe",
    "2001:0:7f00:1::f7f7:f7f7", "100::1", "not an address", "", "127.1", "0x7f000001", "2130706433",
]  # fmt: skip
ALLOWED_LIVE = [
    "8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "2002:808:808::1", "64:ff9b::808:808",
    "2001:0:808:808::f7f7:f7f7", "2606:4700::1111%eth0",
]  # fmt: skip


@pytest.mark.parametrize("ip", FORBIDDEN_LIVE)
def test_a_live_workspace_refuses_all_but_global_unicast(ip: str) -> None:
    assert may_contact(ip, practice=False) == PRIVATE_ADDRESS


@pytest.mark.parametrize("ip", ALLOWED_LIVE)
def test_a_live_workspace_may_contact_global_unicast(ip: str) -> None:
    assert may_contact(ip, practice=False) is None


@pytest.mark.parametrize("ip", ["8.8.8.8", "10.0.0.1", "192.0.2.1", "2606:4700::1", "0.0.0.0", "::", "127.1",
                                "::ffff:8.8.8.8", "2002:7f00:1::", "64:ff9b::7f00:1"])  # fmt: skip
def test_a_practice_workspace_refuses_all_but_loopback(ip: str) -> None:
    assert may_contact(ip, practice=True) == PRIVATE_ADDRESS


@pytest.mark.parametrize("ip", ["127.0.0.1", "127.8.7.6", "::1", "::ffff:127.0.0.1"])
def test_a_practice_workspace_may_contact_loopback(ip: str) -> None:
    assert may_contact(ip, practice=True) is None


@given(st.ip_addresses())
@example(IPv4Address("127.0.0.1"))
@example(IPv6Address("::1"))
def test_no_address_is_allowed_both_in_practice_and_live(ip: IPv4Address | IPv6Address) -> None:
    allowed = [may_contact(ip, practice=practice) is None for practice in (True, False)]

    assert allowed != [True, True]


@given(st.ip_addresses(v=4))
def test_a_wrapped_address_is_judged_as_the_address_inside(inner: IPv4Address) -> None:
    number = int(inner)
    wrapped = [
        IPv6Address(0xFFFF_0000_0000 | number),
        IPv6Address(0x2002 << 112 | number << 80 | 1),
        IPv6Address(0x0064_FF9B << 96 | number),
    ]

    assert {may_contact(address, practice=False) for address in wrapped} == {
        may_contact(inner, practice=False)
    }


@given(st.ip_addresses(v=4), st.ip_addresses(v=4))
def test_a_teredo_address_needs_both_of_its_addresses_public(
    server: IPv4Address, client: IPv4Address
) -> None:
    address = IPv6Address(0x2001_0000 << 96 | int(server) << 64 | int(client) ^ 0xFFFFFFFF)
    both = all(may_contact(part, practice=False) is None for part in (server, client))

    assert (may_contact(address, practice=False) is None) == both


@given(st.ip_addresses())
def test_text_and_object_are_judged_alike(ip: IPv4Address | IPv6Address) -> None:
    assert may_contact(str(ip), practice=False) == may_contact(ip, practice=False)


@given(st.text())
def test_any_text_gets_an_answer(text: str) -> None:
    assert may_contact(text, practice=False) in {None, PRIVATE_ADDRESS}
