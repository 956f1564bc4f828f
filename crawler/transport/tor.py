"""Tor's own word on itself, through stem: whether a practice workspace may use it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from stem import ControllerError
from stem.control import Controller

from caselog.guard import may_contact

if TYPE_CHECKING:
    from caselog.workspace import Workspace


def tor_socks_of(workspace: Workspace) -> str | None:
    """Return Tor's SOCKS port as the workspace may use it, or None: then onion services are refused.

    A practice workspace uses Tor only where its control port says that it is a test network, because any
    other Tor relays outward.
    """
    tor = workspace.config.network.tor
    if not tor.enabled:
        return None
    if workspace.practice and not is_test_network(tor.control):
        return None
    return tor.socks


def is_test_network(control: str) -> bool:
    """Tell whether the Tor behind a control port says `TestingTorNetwork 1`; False when it cannot be asked.

    Args:
        control: `address:port`, on loopback.
    """
    address, _, port = control.rpartition(":")
    if not port.isdigit() or may_contact(address, practice=True) is not None:
        return False
    try:
        # stem leaves its socket open when nobody listens, so we knock first.
        socket.create_connection((address, int(port)), timeout=5).close()
        with Controller.from_port(address=address, port=int(port)) as controller:  # type: ignore[no-untyped-call]  # stem's own
            controller.authenticate()
            return bool(controller.get_conf("TestingTorNetwork") == "1")
    except (ControllerError, OSError):
        return False
