"""Climb from a network's own registration to further sources until one names a usable contact.

Rungs: what the registry says about an abuse role that came without a mailbox; its WHOIS text; the network
above; the autonomous system. Each answer is remembered by the range it was asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from caselog.errors import CaseError, ConfigError, RefusedError, SourceError
from enrich.addresses import Span
from enrich.contacts import GUESS, RUNGS, Judge, holder_domain, network_candidates, whois_candidates
from enrich.interface import Cached, Candidate, Fetched, NotFoundError, PausedError, Ranked
from enrich.networks import CONTACT_TTL, NEGATIVE_TTL, fetched_facts, fetched_from_facts
from enrich.whois import abuse_mails, registry_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from enrich.addresses import Address
    from enrich.sources import Sources

Failure = dict[str, Any]
RUNG_NAMES = ("entity", "whois", "parent", "system")
MAX_ENTITY_QUESTIONS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Climb:
    """What the ladder brought for one address."""

    candidates: tuple[Candidate, ...] = ()
    answers: tuple[Fetched, ...] = ()
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """Asks the later rungs for one address, one after the other."""

    sources: Sources
    judge: Judge
    now: datetime
    ask: bool

    def climb(self, ip: Address, network: Fetched | None, asn: int | None) -> Climb:
        """Return all candidates for `ip`, asking no further than the first usable contact."""
        candidates = network_candidates(network, 0) if network else ()
        answers: list[Fetched] = []
        failures: list[Failure] = []
        span = network.registration.span if network and network.registration.span else Span(first=ip, last=ip)
        known = self._known(span)
        for name in RUNG_NAMES:
            if self._is_enough(candidates):
                break
            found, failure = self._rung(name, known, partial(self._ask, name, ip, network, asn))
            answers.extend(found)
            failures.extend([failure] if failure else [])
            candidates += tuple(c for answer in found for c in self._candidates(name, answer, ip))
        self._remember(span, known, has_network=network is not None)
        if not self._is_enough(candidates):
            candidates += self._guess(network)
        return Climb(candidates=candidates, answers=tuple(answers), failures=tuple(failures))

    def _is_enough(self, candidates: tuple[Candidate, ...]) -> bool:
        ranked: Ranked = self.judge.rank(candidates)
        return any(row["role"] != "" for row in ranked.accepted) and not _is_last_resort(ranked, candidates)

    def _known(self, span: Span) -> dict[str, list[Fetched]]:
        cached = self.sources.registries.more.get(span.first, self.now)
        if cached is None or cached.span != span or self.now - cached.fetched_at >= CONTACT_TTL:
            return {}
        rungs = cached.facts["rungs"].items()
        return {name: [fetched_from_facts(row, cached.fetched_at) for row in rows] for name, rows in rungs}

    def _remember(self, span: Span, known: dict[str, list[Fetched]], *, has_network: bool) -> None:
        if not known or not self.ask:
            return
        facts = {"rungs": {name: [fetched_facts(row) for row in rows] for name, rows in known.items()}}
        moments = [row.fetched_at for rows in known.values() for row in rows]
        first = min(moments, default=self.now)
        lasts = CONTACT_TTL if has_network else NEGATIVE_TTL
        self.sources.registries.more.put(
            Cached(span=span, facts=facts, fetched_at=first, expires_at=first + lasts)
        )

    def _rung(
        self, name: str, known: dict[str, list[Fetched]], question: Callable[[], list[Fetched]]
    ) -> tuple[list[Fetched], Failure | None]:
        if name in known:
            return known[name], None
        if not self.ask:
            return [], None
        try:
            found = question()
        except NotFoundError:
            found = []
        except (SourceError, RefusedError, ConfigError) as error:
            return [], failure_of(name, error, self.now)
        known[name] = found
        return found, None

    def _ask(self, name: str, ip: Address, network: Fetched | None, asn: int | None) -> list[Fetched]:
        registries = self.sources.registries
        if name == "whois":
            found = self.sources.whois.network(ip, registry_of(network), self.now)
        elif name == "parent":
            found = registries.parent(network, self.now) if network else None
        elif name == "system":
            has_table = registries.bootstrap is not None and bool(registries.bootstrap.systems)
            found = registries.system(asn, self.now) if asn and has_table else None
        else:
            return self._silent_roles(network) if network else []
        return [found] if found else []

    def _silent_roles(self, network: Fetched) -> list[Fetched]:
        entities = network.registration.entities
        silent = [entity for entity in entities if "abuse" in entity.roles and entity.handle]
        handles = list(
            dict.fromkeys(e.handle for e in silent if e.handle and not e.mails and not e.bad_mails)
        )
        asked = [
            self.sources.registries.entity(network, handle, self.now)
            for handle in handles[:MAX_ENTITY_QUESTIONS]
        ]
        return [found for found in asked if found]

    def _candidates(self, name: str, answer: Fetched, ip: Address) -> tuple[Candidate, ...]:
        if name == "whois":
            return whois_candidates(abuse_mails(answer.text, ip), answer.source)
        if name == "entity":
            return network_candidates(_in_abuse_role(answer), 0)
        return network_candidates(answer, 1 if name == "parent" else 2)

    def _guess(self, network: Fetched | None) -> tuple[Candidate, ...]:
        """Return abuse@ of the holder's domain (RFC 2142) where that domain takes mail; marked as guessed."""
        if network is None or self.sources.names is None or not self.ask:
            return ()
        domain = holder_domain(network.registration.entities, self.judge)
        if not domain or not self.sources.names.ask(domain, "MX", self.now).values:
            return ()
        why = "guessed: abuse@ of the holder's mail domain (RFC 2142); ask before use"
        tier = 3 * RUNGS + GUESS
        return (
            Candidate(mail=f"abuse@{domain}", role="abuse", source="guess", tier=tier, why=why, guessed=True),
        )


def _in_abuse_role(answer: Fetched) -> Fetched:
    """Give the asked entity the abuse role: it was asked because of it, and its own answer leaves it out."""
    first, *rest = answer.registration.entities
    entities = (replace(first, roles=(*first.roles, "abuse")), *rest)
    return replace(answer, registration=replace(answer.registration, entities=entities))


def _is_last_resort(ranked: Ranked, candidates: tuple[Candidate, ...]) -> bool:
    abuse = {c.mail for c in candidates if c.role == "abuse" or "abuse" in c.mail or c.role == "remarks"}
    return not any(row["address"] in abuse for row in ranked.accepted)


def failure_of(source: str, error: CaseError, now: datetime) -> Failure:
    """Return a failed question as a record keeps it; a pause says when it ends."""
    row: Failure = {"source": source, "at": now.isoformat(), "error": _word(error)}
    if isinstance(error, PausedError):
        row["retry_at"] = error.retry_at.isoformat()
    return row


def _word(error: CaseError) -> str:
    if isinstance(error, NotFoundError):
        return "not_found"
    if isinstance(error, PausedError):
        return "paused"
    if isinstance(error, RefusedError):
        return error.code
    return "no_registry" if isinstance(error, ConfigError) else "failed"
