"""Tor's word on itself: a test network or not, ready or not, and new circuits not too often."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import socket
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from crawler.transport import tor as tor_module
from crawler.transport.tor import TorControl, Trouble, is_listening, is_test_network, tor_state
from tests.servers.hostile import HostileServer, raw, silence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

AUTHORITY = "DirAuthority bread orport=9 no-v2 v3ident=" + "A" * 40 + " 127.0.0.1:9 " + "B" * 40


@pytest.fixture(scope="module")
def tor() -> str:
    program = shutil.which("tor")
    if program is None and os.environ.get("LEADLINE_ALLOW_NO_SKIP") == "1":
        pytest.fail("tor is not installed, and no test may be skipped here")
    if program is None:
        pytest.skip("tor is not installed")
    return program


@contextmanager
def running_tor(program: str, folder: Path, *lines: str) -> Iterator[str]:
    """Give the control port of a Tor that opens no connection."""
    settings = ["DisableNetwork 1", "SocksPort 0", "ControlPort 127.0.0.1:auto", *lines]
    settings += [f"DataDirectory {folder}", "Log notice stdout"]
    (folder / "torrc").write_text("\n".join(settings) + "\n")
    child = subprocess.Popen(
        [program, "-f", folder / "torrc", "--defaults-torrc", "/dev/null"], stdout=subprocess.PIPE, text=True
    )
    try:
        opened = next(line for line in child.stdout if "Opened Control listener" in line)
        yield opened.rstrip().rpartition(" ")[2]
    finally:
        child.terminate()
        child.communicate(timeout=20)


@pytest.mark.needs_tor
def test_a_tor_of_the_real_network_is_no_test_network(tor: str, tmp_path: Path) -> None:
    with running_tor(tor, tmp_path) as control:
        assert not is_test_network(control)


@pytest.mark.needs_tor
def test_a_tor_of_a_test_network_says_so(tor: str, tmp_path: Path) -> None:
    with running_tor(tor, tmp_path, "TestingTorNetwork 1", AUTHORITY) as control:
        assert is_test_network(control)


def test_a_control_port_that_nobody_listens_on_is_no_test_network() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))

        assert not is_test_network(f"127.0.0.1:{silent.getsockname()[1]}")


@pytest.mark.parametrize("control", ["", "127.0.0.1", "127.0.0.1:x", "192.0.2.1:9051", "bread.example:9051"])
def test_a_control_port_off_loopback_is_never_asked(control: str) -> None:
    assert not is_test_network(control)


def nobody() -> str:
    """Return a port on which nobody listens."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{silent.getsockname()[1]}"


@pytest.mark.needs_tor
def test_a_tor_that_wants_a_password_is_told_from_one_that_is_silent(tor: str, tmp_path: Path) -> None:
    with running_tor(tor, tmp_path, "HashedControlPassword 16:" + "0" * 58) as control:
        assert (tor_state(control).trouble, tor_state(nobody()).trouble) == (Trouble.LOGIN, Trouble.SILENT)


@pytest.mark.parametrize("opening", [silence, raw(b"HTTP/1.1 200 OK\r\n\r\n"), raw(b"250 "), raw(b"")])
def test_whatever_else_listens_at_the_control_port_does_not_keep_us(
    opening: Callable[[socket.socket], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tor_module, "TALK_S", 0.3)
    with HostileServer({}, opening=opening) as server:
        assert tor_state(f"127.0.0.1:{server.port}").trouble is Trouble.SILENT


@pytest.mark.needs_tor
def test_onions_wait_once_for_a_tor_that_starts_and_are_then_put_off(
    tor: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def twice(control: TorControl) -> list[str | None]:
        both = await asyncio.gather(control.refusal(), control.refusal())
        return [*both, await control.refusal()]

    with running_tor(tor, tmp_path) as control, caplog.at_level(logging.INFO, "crawler.transport.tor"):
        asking = TorControl(control, socks=nobody(), patience_s=0.6)
        refusals = asyncio.run(twice(asking))

    assert refusals == ["tor_not_ready"] * 3
    assert not asking.is_vouched_for
    assert [record.getMessage() for record in caplog.records] == [
        "Tor is at 0 %: onion services wait for it, up to 0 s",
        "Tor is not ready: onion services are put off; run leadline doctor",
    ]


def test_without_a_control_port_onions_are_asked_where_somebody_listens() -> None:
    with HostileServer({}) as socks:
        asking = TorControl(nobody(), socks=f"socks5h://127.0.0.1:{socks.port}")
        refusal = asyncio.run(asking.refusal())

    assert (refusal, asking.is_vouched_for) == (None, False)
    assert asyncio.run(TorControl(nobody(), socks=nobody()).refusal()) == "tor_not_ready"


@pytest.mark.needs_tor
def test_new_circuits_are_never_asked_for_within_ten_seconds(tor: str, tmp_path: Path) -> None:
    now_s = [100.0]

    async def renewals(control: TorControl) -> list[bool]:
        asked = []
        for wait_s in (0.0, 0.0, 9.9, 0.1, 5.0):
            now_s[0] += wait_s
            asked.append(await control.renew())
        return asked

    with running_tor(tor, tmp_path) as control:
        asking = TorControl(control, socks=nobody(), clock=lambda: now_s[0])

        assert asyncio.run(renewals(asking)) == [True, False, False, True, False]
    assert not asyncio.run(TorControl(nobody(), socks=nobody()).renew())


@pytest.mark.parametrize("text", ["", "127.0.0.1", "127.0.0.1:x", "socks5h://"])
def test_nobody_listens_at_a_port_that_is_none(text: str) -> None:
    assert not is_listening(text)
