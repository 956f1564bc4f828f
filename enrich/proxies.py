"""Tell whether a host stands behind a reverse proxy, by the provider table.

Signs are the address in a published range, the alias, and the autonomous system. A proxied host has no known
country. Name servers alone prove nothing: many domains are named by a proxy's operator and served elsewhere.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from caselog.errors import ConfigError
from enrich.addresses import Span, parse_block
from enrich.interface import Provider
from enrich.rdap import mail_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from enrich.addresses import Address

NO_TABLE = "none"
KINDS = frozenset({"proxy", "mixed", "platform", "host"})
_LISTS = ("asns", "cname", "ns", "suffixes")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyVerdict:
    """Whether a host is proxied: True, False, or None for perhaps."""

    proxied: bool | None = None
    provider: Provider | None = None
    sign: str | None = None


def read_providers(setting: str) -> tuple[Provider, ...]:
    """Return the provider table: the operator's rows before the embedded ones of other names.

    Args:
        setting: A TOML file of `[[provider]]` tables, empty for the embedded table, `none` for no table.

    Raises:
        ConfigError: The file cannot be read or a row is malformed.

    """
    if setting == NO_TABLE:
        return ()
    embedded = _read((files("enrich") / "data" / "providers.toml").read_text(encoding="utf-8"))
    if not setting:
        return embedded
    try:
        own = _read(Path(setting).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("The provider table cannot be read.", "Check [enrich] providers.") from error
    named = {provider.name.lower() for provider in own}
    return own + tuple(provider for provider in embedded if provider.name.lower() not in named)


def _read(text: str) -> tuple[Provider, ...]:
    try:
        rows = tomllib.loads(text).get("provider", [])
        return tuple(_provider(row) for row in rows)
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(
            "The provider table is malformed.", "See the embedded table for its form."
        ) from error


def _provider(row: dict[str, Any]) -> Provider:
    if row.get("kind", "host") not in KINDS or (row.get("contact") and not mail_address(row["contact"])):
        raise ValueError
    lists = {name: tuple(row.get(name, ())) for name in _LISTS}
    return Provider(
        name=str(row["name"])[:64],
        kind=row.get("kind", "host"),
        does=str(row.get("does", "")),
        ranges=tuple(_span(text) for text in row.get("ranges", ())),
        contact=mail_address(row["contact"]) if row.get("contact") else None,
        anycast=bool(row.get("anycast", False)),
        **lists,
    )


def _span(text: str) -> Span:
    span = parse_block(text)
    if span is None:
        raise ValueError
    return span


def find_proxy(
    providers: Sequence[Provider], addresses: Iterable[Address], cname: Iterable[str], asns: Iterable[int]
) -> ProxyVerdict:
    """Return the verdict from the strongest sign: a range, then an alias, then the autonomous system."""
    known, aliases, systems = tuple(addresses), tuple(cname), frozenset(asns)
    proxies = [provider for provider in providers if provider.kind in {"proxy", "mixed"}]
    for provider in proxies:
        if any(span.holds(ip) for span in provider.ranges for ip in known):
            return ProxyVerdict(proxied=True, provider=provider, sign="address in a published range")
    for provider in proxies:
        if any(is_below(name, suffix) for suffix in provider.cname for name in aliases):
            return ProxyVerdict(proxied=True, provider=provider, sign="alias")
    for provider in proxies:
        if systems & frozenset(provider.asns):
            proxied = True if provider.kind == "proxy" else None
            return ProxyVerdict(proxied=proxied, provider=provider, sign="autonomous system")
    return ProxyVerdict(proxied=False if known else None)


def is_below(name: str, suffix: str) -> bool:
    """Say whether `name` is `suffix` or a name below it."""
    return name == suffix or name.endswith("." + suffix)
