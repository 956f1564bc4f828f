"""Put the sources of look-ups together from plain settings, once for many look-ups."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from caselog.errors import ConfigError
from caselog.guard import may_contact
from enrich.bootstrap import read_bootstrap
from enrich.contacts import NeverList, read_never_list
from enrich.fetching import Fetcher
from enrich.memory import MemoryCache, MemoryLimiter
from enrich.names import Resolver, Suffixes, split_server
from enrich.national import read_national
from enrich.networks import Registries
from enrich.proxies import NO_TABLE, read_providers
from enrich.ranges import open_ranges
from enrich.whois import WhoisClient

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from enrich.interface import (
        Cache,
        CountrySource,
        Limiter,
        NameSource,
        OriginSource,
        Provider,
        QueryLog,
    )

DEFAULT_COUNTRY_FILES = ("/usr/share/tor/geoip", "/usr/share/tor/geoip6")
# LACNIC once named ten questions a minute; the others name no number, so one a second.
LIVE_PACE = {"": 1.0, "rdap.lacnic.net:443": 10.0, "rdap.afrinic.net:443": 10.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """All that a look-up may ask; holds no result of any look-up but the range cache."""

    practice: bool
    suffixes: Suffixes
    never: NeverList
    names: NameSource | None
    countries: tuple[CountrySource, ...]
    origins: OriginSource | None
    providers: tuple[Provider, ...]
    national: Mapping[str, str]
    registries: Registries
    whois: WhoisClient


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """The settings of `[enrich]` and `[network]` that sources are built from; paths are below `folder`."""

    folder: Path
    practice: bool
    nameservers: Sequence[str] = ()
    country: Sequence[str] = ()
    asn: str = ""
    rdap_bootstrap: str = ""
    whois: Mapping[str, str] | None = None
    providers: str = ""
    national: str = ""
    user_agent: str = "Mozilla/5.0 (compatible)"


def no_log(*, kind: str, server: str, name: str, outcome: str, at: datetime) -> None:
    """Take note of nothing: for callers that record no questions."""
    del kind, server, name, outcome, at


def build_sources(
    settings: SourceSettings,
    *,
    log_query: QueryLog = no_log,
    cache: Cache | None = None,
    more: Cache | None = None,
    limiter: Limiter | None = None,
) -> Sources:
    """Return the sources that the settings name.

    Args:
        settings: Plain values.
        log_query: Hears of every question that leaves the house.
        cache: Answers about networks by range; in memory when None.
        more: Later answers by the range that they were asked for; in memory when None.
        limiter: The pace of each server; in memory when None.

    Raises:
        ConfigError: A file is missing or malformed, or a practice workspace names a server off loopback.

    """
    servers = settings.whois or {}
    _check_practice(settings, servers)
    pace = MemoryLimiter({} if settings.practice else LIVE_PACE) if limiter is None else limiter
    bootstrap = read_bootstrap(_below(settings, settings.rdap_bootstrap)) if settings.rdap_bootstrap else None
    fetcher = Fetcher(practice=settings.practice, user_agent=settings.user_agent)
    return Sources(
        practice=settings.practice,
        suffixes=Suffixes(),
        never=read_never_list(),
        names=_names(settings, log_query),
        countries=_countries(settings),
        origins=open_ranges(_below(settings, settings.asn)) if settings.asn else None,
        providers=read_providers(_table(settings)),
        national=read_national(_below(settings, settings.national)) if settings.national else {},
        registries=Registries(
            bootstrap=bootstrap,
            fetcher=fetcher,
            cache=MemoryCache() if cache is None else cache,
            more=MemoryCache() if more is None else more,
            limiter=pace,
            log_query=log_query,
        ),
        whois=WhoisClient(servers=servers, practice=settings.practice, limiter=pace, log_query=log_query),
    )


def _names(settings: SourceSettings, log_query: QueryLog) -> NameSource | None:
    # A practice workspace without its own name server must not ask the system's.
    if settings.practice and not settings.nameservers:
        return None
    return Resolver(settings.nameservers, log_query)


def _countries(settings: SourceSettings) -> tuple[CountrySource, ...]:
    named = [_below(settings, text) for text in settings.country]
    paths = named or [Path(text) for text in DEFAULT_COUNTRY_FILES if Path(text).is_file()]
    # The same file named twice has one vote.
    return tuple(
        # The system's own files take seconds to read; an operator's may hold private ranges.
        open_ranges(path, public_only=not named)
        for path in dict.fromkeys(path.resolve() for path in paths)
    )


def _table(settings: SourceSettings) -> str:
    if settings.providers in {"", NO_TABLE}:
        return settings.providers
    return str(_below(settings, settings.providers))


def _below(settings: SourceSettings, text: str) -> Path:
    return settings.folder / Path(text).expanduser()


def _check_practice(settings: SourceSettings, whois: Mapping[str, str]) -> None:
    if not settings.practice:
        return
    for server in (*settings.nameservers, *whois.values()):
        host = split_server(server, 53)[0]
        if host != "localhost" and may_contact(host, practice=True) is not None:
            raise ConfigError(
                "A practice workspace names a server that is not loopback.",
                "Check [network] resolver and [enrich] whois.",
            )
