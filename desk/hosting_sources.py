"""Build the sources of look-ups from a workspace's settings; a practice workspace asks loopback only."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from caselog.errors import ConfigError, RefusedError
from caselog.guard import may_contact
from desk.hosting_cache import StoredCache, StoredLimiter
from enrich.bootstrap import read_bootstrap
from enrich.names import split_server
from enrich.sources import LIVE_PACE, Sources, SourceSettings, build_sources

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from caselog.workspace import Workspace
    from enrich.interface import QueryLog

OFFLINE = "offline"
# Never asked: a look-up offline has no name source, and naming one keeps the system's file unread.
_NOBODY = ("127.0.0.1",)


def sources_of(workspace: Workspace, *, log_query: QueryLog, clock: Callable[[], datetime]) -> Sources:
    """Return what look-ups of this workspace may ask, as far as its mode goes.

    Raises:
        RefusedError: A practice workspace names a server off loopback.
        ConfigError: A file is missing or malformed, or registries are to be asked and none is named.

    """
    settings = workspace.config.enrich
    if settings.mode == OFFLINE:
        return offline_sources(workspace, stored=True)
    if not settings.rdap_bootstrap and not settings.whois:
        raise ConfigError(
            f"The mode {settings.mode} asks registries, and none is named.",
            "Set [enrich] rdap_bootstrap to a folder of IANA's files, or [enrich] mode to offline.",
        )
    if workspace.practice:
        refuse_servers_outside(workspace)
    network = workspace.config.network
    return build_sources(
        replace(
            _settings(workspace),
            nameservers=network.resolver,
            rdap_bootstrap=settings.rdap_bootstrap,
            whois=settings.whois,
            user_agent=_user_agent(workspace),
        ),
        log_query=log_query,
        cache=StoredCache(workspace.log, "network"),
        more=StoredCache(workspace.log, "contacts"),
        limiter=StoredLimiter(workspace.log, {} if workspace.practice else LIVE_PACE, clock),
    )


def offline_sources(workspace: Workspace, *, stored: bool = False) -> Sources:
    """Return sources that ask nobody: files, and with `stored` what registries answered earlier."""
    built = build_sources(
        replace(_settings(workspace), nameservers=_NOBODY),
        cache=StoredCache(workspace.log, "network") if stored else None,
        more=StoredCache(workspace.log, "contacts") if stored else None,
    )
    return replace(built, names=None)


def refuse_servers_outside(workspace: Workspace) -> None:
    """Refuse settings of a practice workspace that point off loopback.

    Raises:
        RefusedError: Names the setting.

    """
    enrich = workspace.config.enrich
    named = [
        *(("network.resolver", split_server(one, 53)[0]) for one in workspace.config.network.resolver),
        *(("enrich.whois", split_server(one, 43)[0]) for one in enrich.whois.values()),
    ]
    if enrich.rdap_bootstrap:
        servers = read_bootstrap(workspace.folder / enrich.rdap_bootstrap).servers
        named += [("enrich.rdap_bootstrap", one.rpartition(":")[0]) for one in sorted(servers)]
    for setting, host in named:
        if host != "localhost" and may_contact(host, practice=True) is not None:
            raise RefusedError(
                f"A practice workspace reaches loopback only, and {setting} names another server.",
                f"Set {setting} to a server on loopback.",
                code="practice",
            )


def _settings(workspace: Workspace) -> SourceSettings:
    enrich = workspace.config.enrich
    return SourceSettings(
        folder=workspace.folder,
        practice=workspace.practice,
        country=enrich.country,
        asn=enrich.asn,
        providers=enrich.providers,
        national=enrich.national,
    )


def _user_agent(workspace: Workspace) -> str:
    from importlib.metadata import version

    agent = workspace.config.network.user_agent
    contact = workspace.config.authority.contact
    return agent.replace("{version}", version("leadline")).replace("{contact}", contact)
