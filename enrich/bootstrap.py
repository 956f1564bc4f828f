"""Find the registry for an address, an autonomous system or a domain in IANA-form files (RFC 9224)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from caselog.errors import ConfigError
from enrich.addresses import parse_block
from enrich.fetching import server_of

if TYPE_CHECKING:
    from pathlib import Path

    from enrich.addresses import Address, Span

FILES = ("ipv4.json", "ipv6.json", "asn.json", "dns.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """Which server answers for what; `servers` are the only ones that may be asked."""

    blocks: tuple[tuple[Span, str], ...] = ()
    systems: tuple[tuple[int, int, str], ...] = ()
    domains: tuple[tuple[str, str], ...] = ()

    @property
    def servers(self) -> frozenset[str]:
        """All servers of the files as `host:port`."""
        rows = (row[-1] for table in (self.blocks, self.systems, self.domains) for row in table)
        return frozenset(server for url in rows if isinstance(url, str) and (server := server_of(url)))

    def for_address(self, ip: Address) -> str | None:
        """Return the base address of the registry with the longest prefix that holds `ip`."""
        fitting = [(span.size(), url) for span, url in self.blocks if span.holds(ip)]
        return min(fitting)[1] if fitting else None

    def for_system(self, asn: int) -> str | None:
        """Return the base address of the registry of an autonomous system."""
        fitting = [(last - first, url) for first, last, url in self.systems if first <= asn <= last]
        return min(fitting)[1] if fitting else None

    def for_domain(self, name: str) -> str | None:
        """Return the base address of the registry with the longest matching suffix."""
        labels = name.lower().split(".")
        table = dict(self.domains)
        found = (table.get(".".join(labels[at:])) for at in range(len(labels)))
        return next((url for url in found if url), None)


def read_bootstrap(folder: Path) -> Bootstrap:
    """Return the tables of a folder; a missing file is an empty table.

    Raises:
        ConfigError: No file is there, or one is not of IANA's form.

    """
    if not any((folder / name).is_file() for name in FILES):
        raise ConfigError(
            "The RDAP bootstrap folder holds none of IANA's files.", "Check [enrich] rdap_bootstrap."
        )
    addresses = [*_services(folder / "ipv4.json"), *_services(folder / "ipv6.json")]
    return Bootstrap(
        blocks=tuple((span, url) for key, url in addresses if (span := parse_block(key))),
        systems=tuple(
            (*numbers, url) for key, url in _services(folder / "asn.json") if (numbers := _numbers(key))
        ),
        domains=tuple((key.lower().strip("."), url) for key, url in _services(folder / "dns.json")),
    )


def _services(path: Path) -> list[tuple[str, str]]:
    if not path.is_file():
        return []
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
        rows = [(service[-2], service[-1]) for service in found["services"]]
        return [(key, url) for keys, urls in rows if (url := _best(urls)) for key in keys]
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ConfigError(
            f"The bootstrap file {path.name} is not of IANA's form.", "Fetch it again."
        ) from error


def _best(urls: list[str]) -> str | None:
    usable = [url if url.endswith("/") else url + "/" for url in urls if server_of(url)]
    # RFC 9224, 3: prefer https among a service's addresses.
    return next((url for url in usable if url.startswith("https:")), usable[0] if usable else None)


def _numbers(key: str) -> tuple[int, int] | None:
    first, _, last = key.partition("-")
    return (int(first), int(last or first)) if first.isdigit() and (last or first).isdigit() else None
