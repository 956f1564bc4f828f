"""Tor's own word on itself, through stem: is it ready, is it a test network, and may it make new circuits.

Nothing else in the project talks to a control port. Every call ends within seconds; those for the event loop
work in a thread.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from stem import ControllerError, SocketError
from stem.connection import (
    AuthenticationFailure,
    CookieAuthFailed,
    PasswordAuthFailed,
    UnrecognizedAuthMethods,
    authenticate,
)
from stem.response import convert
from stem.socket import ControlPort

from caselog.guard import may_contact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from caselog.workspace import Workspace

logger = logging.getLogger(__name__)

NOT_READY: Final = "tor_not_ready"
"""Why an onion is not asked now: Tor is set, but has no circuits; its lead stays pending."""
WITHOUT_TOR: Final = "onion_without_tor"
"""Why an onion is not asked: no Tor is set, or none that a practice workspace may use."""
PATIENCE_S: Final = 30.0
"""How long the first onion of a crawl waits for a Tor that is still starting."""
TALK_S: Final = 5.0
"""How long Tor may take for one answer at its control port."""
LOOK_S: Final = 0.5
KEPT_S: Final = 5.0
"""How long Tor's last word is believed."""
RENEWAL_S: Final = 10.0
"""Tor makes new circuits at most so often; stem counts that too, but only within one connection."""


class Trouble(StrEnum):
    """Why Tor could not be asked."""

    SILENT = "silent"
    """Nobody answers at the control port."""
    LOGIN = "login"
    """It wants a password, or its cookie cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TorState:
    """What Tor says of itself; with `trouble` nothing else is known."""

    trouble: Trouble | None = None
    progress: int = 0
    """Bootstrap in per cent."""
    phase: str = ""
    """Tor's own short word for it, such as `conn_or`."""
    has_circuits: bool = False
    """Tor has made circuits, and believes that it still can."""
    circuits: int = 0
    """How many are built now."""
    version: str = ""
    is_test_network: bool = False
    has_extended_errors: bool = False
    """Some SOCKS port tells why an onion could not be reached (`ExtendedErrors`)."""

    @property
    def is_ready(self) -> bool:
        """Say whether onions can be asked."""
        return self.progress == 100 and self.has_circuits


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
    address, _ = _place(control)
    if may_contact(address, practice=True) is not None:
        return False
    return tor_state(control).is_test_network


def tor_state(control: str) -> TorState:
    """Ask Tor how it is; takes at most some seconds.

    Args:
        control: `address:port`; an IPv6 address in brackets.
    """
    try:
        with _talk(control) as tor:
            return _state(tor)
    except (PasswordAuthFailed, CookieAuthFailed, UnrecognizedAuthMethods):
        return TorState(trouble=Trouble.LOGIN)
    except (ControllerError, AuthenticationFailure, OSError, ValueError, KeyError):
        return TorState(trouble=Trouble.SILENT)


def is_listening(text: str) -> bool:
    """Tell whether somebody listens at ``address:port``."""
    with suppress(OSError), socket.create_connection(_place(text.rpartition("://")[2]), timeout=TALK_S):
        return True
    return False


class TorControl:
    """Keep onions back while Tor is not ready, and ask it for new circuits, for one crawl.

    Args:
        control: Tor's control port, ``address:port``.
        socks: Its SOCKS port: where the control port says nothing, somebody must at least listen there.
        patience_s: How long to wait, once, for a Tor that is starting; `PATIENCE_S` unless told.
        clock: Monotonic time in seconds.
    """

    def __init__(
        self,
        control: str,
        *,
        socks: str,
        patience_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._control = control
        self._socks = socks
        self._patience_s = PATIENCE_S if patience_s is None else patience_s
        self._clock = clock
        self._asking = asyncio.Lock()
        self._believed_until_s = -1.0
        self._is_ready = False
        self._renewed_s: float | None = None
        self.is_vouched_for = False
        """Tor itself said, at the last look, that it is ready."""

    async def refusal(self) -> str | None:
        """Return None when an onion may be asked now, else the code of why not.

        The first call waits for a Tor that is still starting; later ones take its word as it is.
        """
        async with self._asking:
            if self._clock() >= self._believed_until_s:
                await self._look()
        return None if self._is_ready else NOT_READY

    async def renew(self) -> bool:
        """Ask for new circuits and forget what is known of onions (NEWNYM); False when it was too soon."""
        now_s = self._clock()
        if self._renewed_s is not None and now_s - self._renewed_s < RENEWAL_S:
            return False
        self._renewed_s = now_s
        return await asyncio.to_thread(_renew, self._control)

    async def _look(self) -> None:
        state = await asyncio.to_thread(tor_state, self._control)
        if state.trouble is None and not state.is_ready and self._patience_s > 0:
            state = await self._wait(state)
        self.is_vouched_for = state.is_ready
        if state.trouble is None:
            self._is_ready = state.is_ready
        else:
            self._is_ready = await asyncio.to_thread(is_listening, self._socks)
        self._believed_until_s = self._clock() + KEPT_S

    async def _wait(self, state: TorState) -> TorState:
        logger.warning(
            "Tor is at %d %%: onion services wait for it, up to %d s", state.progress, self._patience_s
        )
        until_s = self._clock() + self._patience_s
        self._patience_s = 0.0
        while state.trouble is None and not state.is_ready and self._clock() < until_s:
            await asyncio.sleep(LOOK_S)
            state = await asyncio.to_thread(tor_state, self._control)
        if not state.is_ready:
            logger.warning("Tor is not ready: onion services are put off; run leadline doctor")
        return state


def _state(tor: _Port) -> TorState:
    keys = ("status/bootstrap-phase", "status/circuit-established", "circuit-status", "version")
    told = tor.ask("GETINFO", *keys)
    phase = _words(told["status/bootstrap-phase"])
    settings = tor.ask("GETCONF", "TestingTorNetwork", "SocksPort")
    ports = settings.get("SocksPort") or []
    return TorState(
        progress=int(phase.get("PROGRESS", "0")),
        phase=phase.get("TAG", ""),
        has_circuits=told["status/circuit-established"] == b"1",
        circuits=told["circuit-status"].count(b" BUILT"),
        version=told["version"].decode("ascii", "replace").partition(" ")[0],
        is_test_network=settings.get("TestingTorNetwork") == ["1"],
        has_extended_errors=any("extendederrors" in str(port).lower() for port in ports),
    )


def _words(line: bytes) -> dict[str, str]:
    """Read `KEY=value` words (control-spec, 3.9 and 4.1.10)."""
    pairs = (word.partition("=") for word in line.decode("ascii", "replace").split())
    return {key: value for key, equals, value in pairs if equals}


def _renew(control: str) -> bool:
    try:
        with _talk(control) as tor:
            return bool(tor.say("SIGNAL NEWNYM").is_ok())
    except (ControllerError, AuthenticationFailure, OSError, ValueError):
        return False


@contextmanager
def _talk(control: str) -> Iterator[_Port]:
    """Give the control port, logged in by cookie or by nothing."""
    address, port = _place(control)
    with _Port(address, port) as tor:  # type: ignore[no-untyped-call]  # stem has no types
        authenticate(tor)  # type: ignore[no-untyped-call]  # stem has no types
        yield tor


class _Port(ControlPort):
    """stem's control port with a time limit for each answer; stem itself would wait for ever.

    stem's controller, one level up, reads in threads that go on for as long as Tor is silent.
    """

    def ask(self, command: str, *keys: str) -> dict[str, Any]:
        """Return what GETINFO or GETCONF say of each key (control-spec, 3.3 and 3.9)."""
        answer = self.say(f"{command} {' '.join(keys)}")
        convert(command, answer)  # type: ignore[no-untyped-call]  # stem has no types
        return dict(answer.entries)

    def say(self, command: str) -> Any:
        """Return stem's form of the answer to one command."""
        self.send(command)  # type: ignore[no-untyped-call]  # stem has no types
        return self.recv()  # type: ignore[no-untyped-call]  # stem has no types

    def _make_socket(self) -> socket.socket:
        try:
            return socket.create_connection((self.address, self.port), timeout=TALK_S)
        except OSError as error:
            raise SocketError(str(error.errno)) from None


def _place(text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    return address.removeprefix("[").removesuffix("]"), int(port) if port.isdigit() else 0
