"""A private Tor network on loopback: authorities, a relay and a client that serves and visits onions.

Nothing in it knows of the public network: the authorities are its own, and every port is on 127.0.0.1.
`python -m tests.servers.tornet` runs one by hand until Ctrl-C.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from stem.control import Controller, EventType

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from stem.response.events import StreamEvent

READY_S = 120.0
PUBLISHED_S = 60.0
STARTS = 2

# Every node. `__OwningControllerProcess` ends them even when the test process is killed.
_NODE = """\
TestingTorNetwork 1
AssumeReachable 1
Nickname {name}
Address 127.0.0.1
ContactInfo bakery@example.invalid
DataDirectory {folder}
Log notice file {folder}/notice.log
PidFile {folder}/pid
GeoIPFile {nothing}
GeoIPv6File {nothing}
AvoidDiskWrites 1
ShutdownWaitLength 0
NumCPUs 1
MaxMemInQueues 64 MB
PathsNeededToBuildCircuits 0.67
__OwningControllerProcess {owner}
"""
_RELAY = """\
SocksPort 0
ORPort 127.0.0.1:{or_port}
ExitRelay 0
ExitPolicy reject *:*
"""
_AUTHORITY = """\
DirPort 127.0.0.1:{dir_port}
AuthoritativeDirectory 1
V3AuthoritativeDirectory 1
TestingV3AuthInitialVotingInterval 5
TestingV3AuthInitialVoteDelay 2
TestingV3AuthInitialDistDelay 2
V3AuthVotingInterval 10
V3AuthVoteDelay 2
V3AuthDistDelay 2
TestingDirAuthVoteGuard *
TestingDirAuthVoteHSDir *
TestingMinExitFlagThreshold 0
"""
_CLIENT = """\
SocksPort 127.0.0.1:auto IsolateSOCKSAuth ExtendedErrors
ControlPort 127.0.0.1:auto
ControlPortWriteToFile {folder}/control
CookieAuthentication 1
"""
# Tor writes down a fingerprint only with some authority to believe in.
_NOBODY = f"DirAuthority nobody orport=9 no-v2 127.0.0.1:9 {'F' * 40}\n"


class TorNetworkError(RuntimeError):
    """The private network did not come up."""


def programs() -> tuple[str, str] | None:
    """Return where `tor` and `tor-gencert` are, or None when one is missing."""
    found = shutil.which("tor"), shutil.which("tor-gencert")
    return (found[0], found[1]) if found[0] and found[1] else None


@dataclass
class TorNetwork:
    """Three authorities, a relay and a client; `with` starts them and surely ends them.

    Args:
        relays: Relays beside the authorities, which relay as well.
    """

    relays: int = 1
    socks: str = ""
    """``ip:port`` of the client's SOCKS port, with extended error codes."""
    control: str = ""
    ready_s: float = 0.0
    """How long it took until the client was ready."""
    _children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)
    _circuits: set[tuple[str, str]] = field(default_factory=set)
    """Number and SOCKS user of every circuit so far."""

    def __enter__(self) -> TorNetwork:
        for left in reversed(range(STARTS)):
            try:
                return self._start()
            except TorNetworkError:
                # A port that was free a moment ago may have been taken.
                self._end()
                if not left:
                    raise
            except BaseException:
                self._end()
                raise
        raise AssertionError

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def onion(self, port: int) -> str:
        """Publish a new onion service that leads to a loopback port, and return its host."""
        made = self.controller.create_ephemeral_hidden_service(
            {80: f"127.0.0.1:{port}"},
            key_content="ED25519-V3",
            discard_key=True,
            await_publication=True,
            timeout=PUBLISHED_S,
        )
        return f"{made.service_id}.onion"

    def take_down(self, host: str) -> None:
        """End an onion service of ours."""
        self.controller.remove_ephemeral_hidden_service(host.removesuffix(".onion"))

    def circuits_of(self, host: str) -> set[str]:
        """Return the numbers of all circuits so far that were made for streams of this SOCKS user."""
        return {number for number, user in self._circuits if user == host}

    def _note(self, event: StreamEvent) -> None:
        # Noted as they come: Tor may have closed a circuit before anybody asks.
        if event.circ_id is not None:
            user = event.keyword_args.get("SOCKS_USERNAME", "")
            self._circuits.add((str(event.circ_id), user.strip('"')))

    def _start(self) -> TorNetwork:
        began_s = time.monotonic()
        found = programs()
        if found is None:
            raise FileNotFoundError("tor and tor-gencert are needed")
        root = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="tornet")))
        names = [f"authority{at}" for at in range(3)]
        ports = _free_ports(2 * len(names))
        pairs = [(ports[2 * at], ports[2 * at + 1]) for at in range(len(names))]
        with ThreadPoolExecutor(len(names)) as pool:
            made = pool.map(lambda name, pair: _new_authority(root / name, pair), names, pairs)
            authorities = "".join(made)
        (root / "nothing").touch()
        for name, (or_port, dir_port) in zip(names, pairs, strict=True):
            torrc = (_RELAY + _AUTHORITY).format(or_port=or_port, dir_port=dir_port)
            self._launch(root / name, torrc + authorities)
        for at in range(self.relays):
            self._launch(root / f"relay{at}", _RELAY.format(or_port="auto") + authorities)
        # A client that comes before the consensus asks again only much later.
        self._wait(lambda: self._is_agreed(pairs), began_s + READY_S, "authorities did not agree")
        client = root / "client"
        self._launch(client, _CLIENT.format(folder=client) + authorities)
        self._connect(client, began_s + READY_S)
        self.ready_s = time.monotonic() - began_s
        return self

    def _launch(self, folder: Path, settings: str) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self._children[folder.name] = _tor(folder, settings)

    def _connect(self, client: Path, until_s: float) -> None:
        """Wait for the client's ports, then for its network."""
        told = client / "control"
        self._wait(lambda: told.exists() and "PORT=" in told.read_text(), until_s, "has no control port")
        self.control = told.read_text().strip().removeprefix("PORT=")
        port = int(self.control.rpartition(":")[2])
        self.controller = self._stack.enter_context(Controller.from_port(port=port))
        self.controller.authenticate()
        self.controller.add_event_listener(self._note, EventType.STREAM)
        self._wait(self._is_ready, until_s, "did not reach its network")
        self.socks = self.controller.get_info("net/listeners/socks").strip('"')

    def _is_agreed(self, pairs: list[tuple[int, int]]) -> bool:
        """Tell whether every authority serves a consensus that lists every node as an onion directory."""
        return all(
            sum(b" HSDir " in line for line in _consensus(dir_port).splitlines() if line.startswith(b"s "))
            >= len(pairs) + self.relays
            for _, dir_port in pairs
        )

    def _is_ready(self) -> bool:
        return "PROGRESS=100" in self.controller.get_info("status/bootstrap-phase")

    def _wait(self, is_so: Callable[[], bool], until_s: float, complaint: str) -> None:
        while not is_so():
            dead = [name for name, child in self._children.items() if child.poll() is not None]
            if dead or time.monotonic() > until_s:
                raise TorNetworkError(f"{dead or 'the client'}: {'ended' if dead else complaint}")
            time.sleep(0.05)

    def _end(self) -> None:
        for child in self._children.values():
            child.kill()
        for child in self._children.values():
            child.wait(20)
        self._children.clear()
        self._stack.close()


def _new_authority(folder: Path, ports: tuple[int, int]) -> str:
    """Make an authority's keys and return the line by which the others know it."""
    tor, gencert = programs() or ("", "")
    keys = folder / "keys"
    keys.mkdir(mode=0o700, parents=True)
    folder.chmod(0o700)
    or_port, dir_port = ports
    certificate = keys / "authority_certificate"
    files = ["-i", keys / "authority_identity_key", "-s", keys / "authority_signing_key", "-c", certificate]
    made = ["--create-identity-key", "-m", "1", "-a", f"127.0.0.1:{dir_port}", "--passphrase-fd", "0"]
    subprocess.run(
        [gencert, *made, *files],
        input=b"sourdough\n",
        check=True,
        capture_output=True,
        timeout=60,
    )
    (folder / "torrc").write_text(_node(folder) + _RELAY.format(or_port=or_port) + _NOBODY)
    subprocess.run(
        [tor, "-f", folder / "torrc", "--defaults-torrc", "/dev/null", "--list-fingerprint", "--quiet"],
        check=True,
        capture_output=True,
        timeout=60,
    )
    identity = re.search(r"^fingerprint (\w+)", certificate.read_text(), re.MULTILINE)
    fingerprint = (folder / "fingerprint").read_text().split()[1]
    return (
        f"DirAuthority {folder.name} orport={or_port} no-v2 v3ident={identity[1] if identity else ''} "
        f"127.0.0.1:{dir_port} {fingerprint}\n"
    )


def _tor(folder: Path, settings: str) -> subprocess.Popen[bytes]:
    (folder / "torrc").write_text(_node(folder) + settings)
    return subprocess.Popen(
        [(programs() or ("tor",))[0], "-f", folder / "torrc", "--defaults-torrc", "/dev/null", "--quiet"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _node(folder: Path) -> str:
    return _NODE.format(name=folder.name, folder=folder, nothing=folder.parent / "nothing", owner=os.getpid())


def _consensus(dir_port: int) -> bytes:
    """Return what an authority serves as the network's state, nothing while it has none."""
    url = f"http://127.0.0.1:{dir_port}/tor/status-vote/current/consensus-microdesc"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bytes(answer.read())
    except OSError:
        return b""


def _free_ports(count: int) -> list[int]:
    """Return different ports that nobody listens on now."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


if __name__ == "__main__":
    with TorNetwork() as network:
        print(f"ready after {network.ready_s:.1f} s: socks {network.socks}, control {network.control}")
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            print("ending")
