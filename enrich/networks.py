"""Find the network that holds an address: cache first, then one RDAP question at the right registry.

Never two questions in flight at one registry, so never two for one range; an answer counts
for the range it names.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from caselog.errors import ConfigError, RefusedError, SourceError
from enrich.addresses import Span, parse_block
from enrich.fetching import server_of
from enrich.interface import Cached, Entity, Fetched, NotFoundError, PausedError, Registration
from enrich.memory import take_turn
from enrich.rdap import read_json, read_registration

if TYPE_CHECKING:
    from enrich.addresses import Address
    from enrich.bootstrap import Bootstrap
    from enrich.fetching import Fetcher
    from enrich.interface import Cache, Limiter, QueryLog

NETWORK_TTL = timedelta(days=30)
CONTACT_TTL = timedelta(days=7)
NEGATIVE_TTL = timedelta(days=1)


@dataclass(slots=True, kw_only=True)
class Turns:
    """One lock for each registry."""

    guard: threading.Lock = field(default_factory=threading.Lock)
    locks: dict[str, threading.Lock] = field(default_factory=dict)

    def of(self, server: str) -> threading.Lock:
        """Return the lock of a server."""
        with self.guard:
            return self.locks.setdefault(server, threading.Lock())


@dataclass(frozen=True, slots=True, kw_only=True)
class Registries:
    """Asks the registries of numbers and names over RDAP."""

    bootstrap: Bootstrap | None
    fetcher: Fetcher
    cache: Cache
    more: Cache
    """Later rungs of the ladder by the range that they were climbed for."""
    limiter: Limiter
    log_query: QueryLog
    turns: Turns = field(default_factory=Turns)

    def network(self, ip: Address, now: datetime, *, ask: bool = True) -> Fetched | None:
        """Return the network of `ip`; None when nothing is known and nothing may be asked.

        Contacts older than seven days are read again; when that fails the network stays, its contacts do not.

        Raises:
            SourceError: The registry failed, is paused, or knows nothing.
            ConfigError: There is no bootstrap folder, or no registry for this address in it.

        """
        known = self._remembered(ip, now)
        if known is not None and (now - known.fetched_at < CONTACT_TTL or not ask):
            return _without_stale_contacts(known, now)
        if not ask:
            return None
        try:
            return self._ask_network(ip, now)
        except (SourceError, RefusedError):
            if known is None:
                raise
            return _without_stale_contacts(known, now)

    def _remembered(self, ip: Address, now: datetime) -> Fetched | None:
        cached = self.cache.get(ip, now)
        if cached is None:
            return None
        if cached.facts.get("missing"):
            raise NotFoundError("The registry knows nothing about this.")
        return fetched_from_facts(cached.facts, cached.fetched_at)

    def _ask_network(self, ip: Address, now: datetime) -> Fetched:
        base = self._base("for_address", ip)
        with self.turns.of(server_of(base) or ""):
            known = self._remembered(ip, now)
            if known is not None and now - known.fetched_at < CONTACT_TTL:
                return known
            try:
                found = self._question(f"{base}ip/{ip}", str(ip), now)
            except NotFoundError:
                self.cache.put(_missing(ip, now))
                raise
            span = found.registration.span
            if span is None or not span.holds(ip) or span.is_registry_block():
                raise SourceError("A registry answered about another range.", "Ask the registry by hand.")
            self.cache.put(_to_cached(found, span, now))
            return found

    def system(self, asn: int, now: datetime) -> Fetched:
        """Return the registration of an autonomous system; raises like `network`."""
        base = self._base("for_system", asn)
        with self.turns.of(server_of(base) or ""):
            return self._question(f"{base}autnum/{asn}", f"AS{asn}", now)

    def domain(self, name: str, now: datetime) -> Fetched:
        """Return the registration of a domain; raises like `network`."""
        base = self._base("for_domain", name)
        with self.turns.of(server_of(base) or ""):
            return self._question(f"{base}domain/{name}", name, now)

    def parent(self, below: Fetched, now: datetime) -> Fetched | None:
        """Return the network above one, by its registry's own link; None without a usable link."""
        url = below.registration.parent_url
        span = below.registration.span
        if not url or span is None or server_of(url) != below.server:
            return None
        with self.turns.of(below.server):
            found = self._question(url, str(span.first), now)
        wider = found.registration.span
        if wider is None or wider.is_registry_block() or wider == span:
            return None
        return found if wider.holds(span.first) and wider.holds(span.last) else None

    def entity(self, below: Fetched, handle: str, now: datetime) -> Fetched | None:
        """Return what the registry says about one handle, for roles that came without a mailbox."""
        base = below.source.partition("ip/")[0]
        if (
            not handle.replace("-", "").replace("_", "").isalnum()
            or not handle.isascii()
            or server_of(base) is None
        ):
            return None
        with self.turns.of(below.server):
            found = self._question(f"{base}entity/{handle}", handle, now, is_entity=True)
        entities = found.registration.entities
        return found if entities and entities[0].handle == handle else None

    def _base(self, question: str, key: object) -> str:
        if self.bootstrap is None:
            raise ConfigError("There is no RDAP bootstrap folder.", "Set [enrich] rdap_bootstrap.")
        found = getattr(self.bootstrap, question)(key)
        if not isinstance(found, str):
            raise ConfigError("No registry in the bootstrap folder answers for this.", "Refresh the folder.")
        return found

    def _question(self, url: str, name: str, now: datetime, *, is_entity: bool = False) -> Fetched:
        server = server_of(url) or ""
        take_turn(self.limiter, server, now)
        outcome = "error"
        try:
            final, body = self.fetcher.get(url, self.bootstrap.servers if self.bootstrap else (), now)
            answer = read_json(body)
            outcome = "answer"
        except NotFoundError:
            outcome = "not_found"
            raise
        except PausedError as error:
            outcome = "paused"
            self.limiter.pause(server, error.retry_at)
            raise
        except RefusedError as error:
            outcome = error.code
            raise
        finally:
            self.log_query(kind="rdap", server=server, name=name, outcome=outcome, at=now)
        return Fetched(
            source=final,
            server=server_of(final) or server,
            registration=read_registration({"entities": [answer]} if is_entity else answer),
            fetched_at=now,
            sha256=hashlib.sha256(body).hexdigest(),
        )


def _without_stale_contacts(found: Fetched, now: datetime) -> Fetched:
    if now - found.fetched_at < CONTACT_TTL:
        return found
    bare = tuple(replace(entity, mails=(), bad_mails=()) for entity in found.registration.entities)
    return replace(found, registration=replace(found.registration, entities=bare, remarks=()))


def fetched_facts(found: Fetched) -> dict[str, Any]:
    """Return an answer as plain JSON, for caches."""
    registration = asdict(replace(found.registration, span=None))
    registration["span"] = str(found.registration.span) if found.registration.span else None
    return {
        "source": found.source,
        "server": found.server,
        "sha256": found.sha256,
        "text": found.text,
        "registration": registration,
    }


def fetched_from_facts(facts: dict[str, Any], fetched_at: datetime) -> Fetched:
    """Return the answer that `fetched_facts` wrote down."""
    kept: dict[str, Any] = dict(facts["registration"])
    kept["span"] = parse_block(kept["span"]) if kept["span"] else None
    kept["entities"] = tuple(Entity(**_tuples(entity)) for entity in kept["entities"])
    return Fetched(
        source=facts["source"],
        server=facts["server"],
        sha256=facts["sha256"],
        text=facts["text"],
        fetched_at=fetched_at,
        registration=Registration(**_tuples(kept)),
    )


def _missing(ip: Address, now: datetime) -> Cached:
    alone = Span(first=ip, last=ip)
    return Cached(span=alone, facts={"missing": True}, fetched_at=now, expires_at=now + NEGATIVE_TTL)


def _to_cached(found: Fetched, span: Span, now: datetime) -> Cached:
    return Cached(span=span, facts=fetched_facts(found), fetched_at=now, expires_at=now + NETWORK_TTL)


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
