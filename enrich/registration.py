"""Find the registrar of a domain: RDAP first, WHOIS where its top-level domain has a server set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from enrich.whois import registrar_in

if TYPE_CHECKING:
    from enrich.contacts import Judge
    from enrich.interface import Entity, Fetched


@dataclass(frozen=True, slots=True, kw_only=True)
class Registrar:
    """Who sold a domain, and where complaints about it go."""

    name: str | None = None
    contact: str | None = None


def registrar_of(found: Fetched, judge: Judge) -> Registrar:
    """Return the registrar in a domain's registration; its abuse role stands inside it (ICANN's profile).

    Where a country's registry gives no abuse role, the name stands alone: a mailbox is not guessed.
    """
    if found.text:
        name, mail = registrar_in(found.text)
        return Registrar(name=name, contact=mail if mail and judge.is_never(mail) is None else None)
    entities = found.registration.entities
    registrar = next((entity for entity in entities if "registrar" in entity.roles), None)
    mails = [mail for entity in entities if _is_its_abuse_role(entity) for mail in entity.mails]
    usable = [mail for mail in mails if judge.is_never(mail) is None]
    name = (registrar.name or registrar.handle) if registrar else None
    return Registrar(name=name, contact=usable[0] if usable else None)


def _is_its_abuse_role(entity: Entity) -> bool:
    if "abuse" not in entity.roles:
        return False
    return "registrar" in entity.under or "registrar" in entity.roles
