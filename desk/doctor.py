"""Look whether a workspace and its machine are fit for work; changes nothing."""

from __future__ import annotations

import importlib.metadata
import shutil
import socket
import stat
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caselog.errors import CaseError
from caselog.process import is_dumpable
from caselog.store import sites
from caselog.workspace import KEY_FILE, open_workspace
from crawler.reading.address import bare_host

if TYPE_CHECKING:
    from collections.abc import Iterable

    from caselog.config import Config
    from caselog.workspace import Workspace
    from crawler.transport.tor import TorState

OK = "ok"
WARNING = "warning"
WRONG = "wrong"
LIBRARIES = ("scrapy", "twisted", "aiohttp", "selectolax", "sqlalchemy", "cryptography", "typer", "dnspython")
STALE_DAYS = 90
EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)
"""No clock of a machine that runs this program is earlier."""
DNS_QUESTION = bytes.fromhex("1d5000000001000000000000") + b"\x07invalid\x00" + bytes.fromhex("00060001")
"""RFC 1035, 4.1: header without recursion, one question `invalid. SOA IN`."""
RESOLVER_SECONDS = 2.0
TOR_TROUBLE = {
    "silent": "Nobody answers at Tor's control port: start Tor, with ControlPort and CookieAuthentication in "
    "torrc, or correct network.tor.control.",
    "login": "Tor's control port refuses our log-in: set CookieAuthentication 1 in torrc, and let this user "
    "read the cookie.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    check: str
    result: str
    """`ok`, `warning` or `wrong`."""
    detail: str

    def row(self) -> dict[str, Any]:
        """Return the row that the command prints."""
        return {"check": self.check, "result": self.result, "detail": self.detail}


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """One piece of reference data."""

    name: str
    source: str
    path: Path | None
    modified_at: datetime | None
    size_bytes: int | None
    now: datetime

    def age_days(self) -> int | None:
        """Return its age; a stamp of the future is read as now."""
        return None if self.modified_at is None else max((self.now - self.modified_at).days, 0)

    def row(self) -> dict[str, Any]:
        """Return the row that the command prints."""
        return {
            "name": self.name,
            "source": self.source,
            "present": self.modified_at is not None,
            "modified_at": self.modified_at,
            "age_days": self.age_days(),
            "size_bytes": self.size_bytes,
        }


def examine(folder: Path) -> list[Finding]:
    """Return everything that was looked at, the machine first."""
    findings = [*_machine(datetime.now(UTC)), *_programs()]
    try:
        workspace = open_workspace(folder)
    except CaseError as error:
        return [
            *findings,
            Finding(check="workspace", result=WRONG, detail=f"{error.message} {error.hint}".strip()),
        ]
    try:
        return [*findings, *_workspace(workspace)]
    finally:
        workspace.log.close()


def key_facts(workspace: Workspace) -> dict[str, Any]:
    """Return what may be told about the keys."""
    path = workspace.folder / KEY_FILE
    return {
        "file": path.name,
        "mode": f"{stat.S_IMODE(path.stat().st_mode):04o}",
        "masters": len(workspace.keys.masters),
        "fingerprint_epochs": [epoch for epoch, _ in workspace.keys.fingerprint_keys],
        "rotation_under_way": len(workspace.keys.masters) > 1,
    }


def data_files(folder: Path, config: Config) -> list[DataFile]:
    """Return each piece of reference data with source and age; embedded tables are as old as the release."""
    enrich, now = config.enrich, datetime.now(UTC)
    named = [("country", path) for path in enrich.country]
    named += [("asn", enrich.asn), ("rdap_bootstrap", enrich.rdap_bootstrap)]
    named += [
        ("providers", "" if enrich.providers == "none" else enrich.providers),
        ("national", enrich.national),
    ]
    configured = [_data_file(name, "settings", folder / path, now) for name, path in named if path]
    embedded = [
        _data_file(path.stem, "embedded", path, now)
        for path in _embedded()
        if path.suffix not in {".py", ".pyc"}
    ]
    missing = [
        DataFile(name=name, source="not set", path=None, modified_at=None, size_bytes=None, now=now)
        for name in ("country", "asn", "rdap_bootstrap")
        if name not in {found.name for found in (*configured, *embedded)}
    ]
    return [*configured, *embedded, *missing]


def _embedded() -> list[Path]:
    root = Path(__file__).resolve().parent.parent / "enrich" / "data"
    return sorted(path for path in root.glob("*") if path.is_file())


def _data_file(name: str, source: str, path: Path, now: datetime) -> DataFile:
    try:
        found = path.stat()
    except OSError:
        return DataFile(name=name, source=source, path=path, modified_at=None, size_bytes=None, now=now)
    newest = max((part.stat().st_mtime for part in path.glob("*")), default=found.st_mtime)
    changed = datetime.fromtimestamp(newest, UTC)
    return DataFile(
        name=name, source=source, path=path, modified_at=changed, size_bytes=found.st_size, now=now
    )


def _machine(now: datetime) -> list[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    swaps = _lines(Path("/proc/swaps"))[1:]
    return [
        _finding("python", sys.version_info >= (3, 11), version, "Python 3.11 or later is needed."),
        _finding("core dumps", not is_dumpable(), "off", "This process could leave a core file."),
        _finding("clock", now >= EARLIEST, f"{now:%Y-%m-%dT%H:%M:%SZ}", "The clock is years behind."),
        _warn("swap", not swaps, "off", "Swap is on: memory with addresses may reach the disk; encrypt it."),
    ]


def _programs() -> Iterable[Finding]:
    for name in LIBRARIES:
        try:
            yield Finding(check=name, result=OK, detail=importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(check=name, result=WRONG, detail="Not installed; install leadline again.")
    for program, purpose in (("tor", "onion services"), ("postgres", "a local PostgreSQL server")):
        there = shutil.which(program) is not None
        yield _warn(program, there, "found", f"Not found; needed only for {purpose}.")


def _workspace(workspace: Workspace) -> Iterable[Finding]:
    kind = "practice: loopback only" if workspace.practice else "live"
    yield Finding(check="workspace", result=OK, detail=kind)
    mode = stat.S_IMODE((workspace.folder / KEY_FILE).stat().st_mode)
    yield _finding(
        "key file", not mode & 0o077, f"{mode:04o}", f"Others may read the key file: chmod 600 {KEY_FILE}."
    )
    with workspace.log.read() as reader:
        engine = reader.connection.dialect.name
    yield Finding(check="database", result=OK, detail=f"{engine}, schema up to date")
    missing = ", ".join(workspace.config.authority.missing())
    judge = _warn if workspace.practice else _finding
    yield judge("authority", not missing, "complete", f"Missing in leadline.toml: {missing}.")
    yield from (_resolver(server) for server in workspace.config.network.resolver)
    yield from _tor(workspace)
    yield from _data(workspace)


def _tor(workspace: Workspace) -> Iterable[Finding]:
    """Ask Tor how it is, where the settings name one; else say which leads wait for it."""
    from crawler.transport.tor import is_listening, tor_state

    tor = workspace.config.network.tor
    if not tor.enabled:
        return [_without_tor(workspace)]
    found = tor_findings(tor_state(tor.control), practice=workspace.practice)
    listens = _finding(
        "tor socks", is_listening(tor.socks), "listens", "Nobody listens at network.tor.socks: correct it."
    )
    return [*found, listens]


def _without_tor(workspace: Workspace) -> Finding:
    with workspace.log.read() as reader:
        onions = sum(bare_host(host).endswith(".onion") for host in sites.site_hosts(reader).values())
    return _warn(
        "tor circuits",
        not onions,
        "off: onion services are refused",
        f"Off, and {onions} sites are onion services: start Tor and set network.tor.enabled.",
    )


def tor_findings(state: TorState, *, practice: bool) -> list[Finding]:
    """Return what Tor's word on itself means for a workspace, and what to do about it."""
    if state.trouble is not None:
        return [Finding(check="tor circuits", result=WRONG, detail=TOR_TROUBLE[state.trouble])]
    if practice != state.is_test_network:
        detail = (
            "This Tor is no test network, and a practice workspace uses no other: correct network.tor."
            if practice
            else "This Tor is a test network: it reaches no real onion service. Correct network.tor."
        )
        return [Finding(check="tor circuits", result=WRONG, detail=detail)]
    network = ", test network" if state.is_test_network else ""
    phase = f" ({state.phase})" if state.phase else ""
    ready = _finding(
        "tor circuits",
        state.is_ready,
        f"Tor {state.version} ready, {state.circuits} circuits{network}",
        f"Tor {state.version} is at {state.progress} %{phase}, without circuits: onion services are put off. "
        "Wait; if it stays so, look at Tor's log and at this machine's clock.",
    )
    errors = _warn(
        "tor errors",
        state.has_extended_errors,
        "told apart",
        "Tor does not say why an onion cannot be reached: add ExtendedErrors to SocksPort in torrc.",
    )
    return [ready, errors]


def _data(workspace: Workspace) -> Iterable[Finding]:
    for found in data_files(workspace.folder, workspace.config):
        age = found.age_days()
        name = f"data: {found.name}"
        if found.source == "embedded":
            continue
        if age is None:
            hint = (
                "Not set; countries and networks stay unknown."
                if found.path is None
                else "The file is missing."
            )
            yield Finding(check=name, result=WARNING if found.path is None else WRONG, detail=hint)
        else:
            yield _warn(name, age <= STALE_DAYS, f"{age} days old", f"{age} days old: renew it.")


def _resolver(server: str) -> Finding:
    """Ask one name server for a name that never exists (RFC 6761, 6.4); any answer will do."""
    host, _, port = server.rpartition(":")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as question:
            question.settimeout(RESOLVER_SECONDS)
            question.connect((host.strip("[]"), int(port)))
            question.send(DNS_QUESTION)
            answered = len(question.recv(512)) >= 12
    except (OSError, ValueError):
        answered = False
    return _finding(
        "resolver", answered, "answers", "A configured resolver does not answer: network.resolver."
    )


def _finding(check: str, good: bool, detail: str, complaint: str) -> Finding:
    return Finding(check=check, result=OK if good else WRONG, detail=detail if good else complaint)


def _warn(check: str, good: bool, detail: str, complaint: str) -> Finding:
    return Finding(check=check, result=OK if good else WARNING, detail=detail if good else complaint)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []
