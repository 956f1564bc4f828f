"""Name the platform below whose domain a host stands: shared hosting is told of before any network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from enrich.proxies import is_below

if TYPE_CHECKING:
    from collections.abc import Sequence

    from enrich.interface import Provider
    from enrich.names import Host


def find_platform(host: Host, providers: Sequence[Provider]) -> tuple[str | None, Provider | None]:
    """Return the platform's name and its row: by the provider table, else the private public suffix."""
    for provider in providers:
        if provider.kind == "platform" and any(is_below(host.name, suffix) for suffix in provider.suffixes):
            return provider.name, provider
    return host.platform, None


def host_by_system(asns: Sequence[int], providers: Sequence[Provider]) -> Provider | None:
    """Return the verified row of the host that announces an address, so that no registry need be asked."""
    rows = (p for p in providers if p.kind == "host" and p.contact and frozenset(p.asns) & frozenset(asns))
    return next(rows, None)
