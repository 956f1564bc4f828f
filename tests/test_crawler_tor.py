"""A practice workspace uses Tor only where it says that it is a test network."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from crawler.transport.tor import is_test_network

if TYPE_CHECKING:
    from collections.abc import Iterator
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
