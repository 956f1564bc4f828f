"""Rank the mailboxes for a notice, best first with a reason, and keep the rejected ones with theirs.

Judging is pure. A wrong recipient is worse than none: registries, placeholders, privacy services, private
persons and mailboxes on the offending domain are never accepted; a person may still pick from the rejected.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from enrich.interface import Candidate, Facts, Ranked
from enrich.rdap import mails_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from enrich.interface import Entity, Fetched
    from enrich.names import Suffixes

PROVIDER, NETWORK, HOLDER, WHOIS, REMARK, OTHER_ROLE, NO_ROLE, GUESS = range(8)
"""Rungs within one network, best first."""
RUNGS = 10
_PARTS = re.compile(r"[._+\-\d]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class NeverList:
    """The reviewed lists of `data/never.toml`."""

    registries: frozenset[str]
    privacy: frozenset[str]
    nowhere: frozenset[str]
    placeholders: frozenset[str]
    placeholder_words: frozenset[str]
    network_only: frozenset[str]
    network_words: frozenset[str]
    freemail: frozenset[str]
    abuse_words: frozenset[str]
    team_words: frozenset[str]

    def is_under(self, domain: str, names: frozenset[str]) -> bool:
        """Say whether `domain` is one of `names` or lies below one."""
        labels = domain.split(".")
        return any(".".join(labels[at:]) in names for at in range(len(labels)))


def read_never_list() -> NeverList:
    """Return the lists that come with the package."""
    found: dict[str, Any] = tomllib.loads(
        (files("enrich") / "data" / "never.toml").read_text(encoding="utf-8")
    )
    return NeverList(**{name: frozenset(values) for name, values in found.items()})


def network_candidates(found: Fetched, step: int) -> tuple[Candidate, ...]:
    """Return every mailbox in a network's registration.

    Args:
        found: The answer.
        step: 0 for the narrowest network, 1 for the one above it, and so on.

    """
    candidates = [c for entity in found.registration.entities for c in _of_entity(entity, found.source, step)]
    remarks = (*found.registration.remarks, *(r for e in found.registration.entities for r in e.remarks))
    for line in remarks:
        mails = mails_in(line)
        if len(mails) == 1:
            why = "named in the registration's remarks"
            candidates.append(
                Candidate(
                    mail=mails[0], role="remarks", source=found.source, tier=step * RUNGS + REMARK, why=why
                )
            )
    return tuple(candidates)


def _of_entity(entity: Entity, source: str, step: int) -> list[Candidate]:
    rung, why = _rung(entity)
    role = "abuse" if "abuse" in entity.roles else ", ".join(entity.roles)
    return [
        Candidate(
            mail=mail,
            role=role,
            source=source,
            tier=step * RUNGS + rung,
            why=why if step == 0 else f"{why}, {step} network up",
            kind=entity.kind,
            company=entity.mails,
            roles=entity.roles,
        )
        for mail in entity.mails
    ]


def _rung(entity: Entity) -> tuple[int, str]:
    if "abuse" in entity.roles:
        if entity.depth == 0:
            return NETWORK, "abuse role of the network"
        return HOLDER, "abuse role of the network's holder"
    return (OTHER_ROLE, "another role of the network") if entity.roles else (NO_ROLE, "listed without a role")


def whois_candidates(mails: Iterable[str], source: str) -> tuple[Candidate, ...]:
    """Return the abuse mailboxes of a WHOIS text."""
    why = "abuse mailbox in the registry's WHOIS text"
    return tuple(Candidate(mail=mail, role="abuse", source=source, tier=WHOIS, why=why) for mail in mails)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Ranks candidates for one host.

    Args:
        own_domains: Registrable domains of the offending host: writing there would tip the offender off.

    """

    never: NeverList
    suffixes: Suffixes
    own_domains: frozenset[str] = frozenset()

    def rank(self, candidates: Sequence[Candidate]) -> Ranked:
        """Return accepted and rejected mailboxes; a mailbox is in one of the two, once."""
        judged = [(candidate, self._against(candidate)) for candidate in candidates]
        has_abuse_mailbox = any(reason is None and self._handles_abuse(c) for c, reason in judged)
        is_named = any(reason is None and "abuse" in _local(c) for c, reason in judged)
        final = [
            (c, reason or (self._second_look(c, is_named=is_named) if has_abuse_mailbox else None))
            for c, reason in judged
        ]
        accepted: dict[str, Candidate] = {}
        for candidate, reason in sorted(
            final, key=lambda pair: (pair[0].tier, "abuse" not in _local(pair[0]))
        ):
            if reason is None:
                accepted.setdefault(candidate.mail, candidate)
        rejected = {c.mail: (c, reason) for c, reason in reversed(final) if reason and c.mail not in accepted}
        return Ranked(
            accepted=tuple(_row(c, rank) for rank, c in enumerate(accepted.values(), 1)),
            rejected=tuple(_refusal(c, reason) for c, reason in list(rejected.values())[::-1]),
        )

    def is_never(self, mail: str) -> str | None:
        """Return why nobody may ever write to `mail`, or None."""
        local, _, domain = mail.rpartition("@")
        if local in self.never.placeholders or any(word in mail for word in self.never.placeholder_words):
            return "a placeholder"
        if self.never.is_under(domain, self.never.nowhere):
            return "a placeholder"
        if self.never.is_under(domain, self.never.registries):
            return "a registry"
        if self.never.is_under(domain, self.never.privacy):
            return "a privacy service"
        own = {self.suffixes.registrable(domain), self.suffixes.registrable(domain, private=True)}
        return "on the offending domain" if own & self.own_domains else None

    def _against(self, candidate: Candidate) -> str | None:
        never = self.is_never(candidate.mail)
        if never is not None:
            return never
        rung = candidate.tier % RUNGS
        if rung in {NETWORK, HOLDER}:
            return self._against_company(candidate)
        if rung == REMARK:
            return None if self._speaks_of_abuse(candidate.mail) else "a remark that names no abuse mailbox"
        if rung in {OTHER_ROLE, NO_ROLE} and not self._speaks_of_abuse(candidate.mail):
            return self._against_team(candidate)
        return None

    def _against_company(self, candidate: Candidate) -> str | None:
        """Judge a mailbox with the abuse role by those beside it: one is the contact, several need a name."""
        usable = [mail for mail in candidate.company if self.is_never(mail) is None]
        if len(usable) <= 1 or self._speaks_of_abuse(candidate.mail):
            return None
        if any(self._speaks_of_abuse(mail) for mail in usable):
            return "an abuse mailbox stands beside it"
        if self._is_team(candidate.mail):
            return None
        return "one of several mailboxes, and none is named for abuse"

    def _against_team(self, candidate: Candidate) -> str | None:
        if candidate.kind == "individual":
            return "a private person without the abuse role"
        if self._is_network_only(candidate.mail):
            return "runs the network, handles no complaints"
        return None if self._is_team(candidate.mail) else "not an abuse mailbox"

    def _second_look(self, candidate: Candidate, *, is_named: bool) -> str | None:
        """Refuse what is only good enough when there is no abuse mailbox."""
        without_role = candidate.tier % RUNGS in {REMARK, OTHER_ROLE, NO_ROLE}
        if candidate.guessed or (self._speaks_of_abuse(candidate.mail) and not (without_role and is_named)):
            return None
        if "abuse" in _local(candidate):
            return None
        if candidate.role != "abuse":
            return "an abuse mailbox exists"
        return (
            "runs the network, and an abuse mailbox exists" if self._is_network_only(candidate.mail) else None
        )

    def _handles_abuse(self, candidate: Candidate) -> bool:
        if candidate.guessed:
            return False
        named = self._speaks_of_abuse(candidate.mail)
        return named or (candidate.role == "abuse" and not self._is_network_only(candidate.mail))

    def _speaks_of_abuse(self, mail: str) -> bool:
        return bool(self._words(mail) & self.never.abuse_words) or "abuse" in mail.partition("@")[0]

    def _is_team(self, mail: str) -> bool:
        return bool(self._words(mail) & self.never.team_words)

    def _is_network_only(self, mail: str) -> bool:
        by_name = mail.partition("@")[0] in self.never.network_only
        return by_name or bool(self._words(mail) & self.never.network_words)

    def _words(self, mail: str) -> frozenset[str]:
        local = mail.partition("@")[0]
        return frozenset({local, *_PARTS.split(local)}) - {""}


def holder_domain(entities: Iterable[Entity], judge: Judge) -> str | None:
    """Return the one domain that a holder's mailboxes stand on; None when there is none, or several."""
    mails = [mail for entity in entities for mail in entity.mails if judge.is_never(mail) is None]
    domains = {judge.suffixes.registrable(mail.rpartition("@")[2]) for mail in mails}
    fitting = [domain for domain in domains if domain and domain not in judge.never.freemail]
    return fitting[0] if len(fitting) == 1 else None


def _local(candidate: Candidate) -> str:
    return candidate.mail.partition("@")[0]


def _row(candidate: Candidate, rank: int) -> Facts:
    return {
        "address": candidate.mail,
        "role": candidate.role,
        "source": candidate.source,
        "rank": rank,
        "why": candidate.why,
        "guessed": candidate.guessed,
    }


def _refusal(candidate: Candidate, reason: str) -> Facts:
    return {"address": candidate.mail, "role": candidate.role, "source": candidate.source, "why": reason}
