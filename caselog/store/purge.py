"""The only way by which anything goes: destroy a lead's data key, and the salts that open its ledger entries.

Rows stay, and so does the ledger: what is left of them can no longer be read or guessed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import sqlalchemy as sa

from caselog import schema
from caselog.plans import PLANS
from caselog.records.choices import Subject
from caselog.records.leads import Lead

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from caselog.records.ids import LeadId
    from caselog.store.log import Writer


def destroy_lead(writer: Writer, lead_id: LeadId, now: datetime) -> int:
    """Make everything sealed for a lead unreadable for good, and return how many records that concerns.

    The site's host name goes too when no other lead with a living data key is on that site.

    Args:
        writer: An open writer.
        lead_id: The lead.
        now: The time of the purge.

    Raises:
        IntakeError: There is no such lead.
    """
    site_id = writer.get(Lead, lead_id).site_id
    salted = sum(_destroy_salts(writer, kind, query) for kind, query in _records_of(lead_id))
    keys, addresses, frontier = schema.data_keys, schema.addresses, schema.frontier
    key_ids = sa.select(keys.c.id).where(keys.c.lead_id == lead_id)
    execute = writer.connection.execute
    execute(addresses.update().where(addresses.c.key_id.in_(key_ids)).values(ciphertext=b"", tag=None))
    execute(frontier.delete().where(frontier.c.lead_id == lead_id))
    for key_id in execute(key_ids).scalars().all():
        execute(keys.update().where(keys.c.id == key_id).values(wrapped=b"", destroyed_at=now))
        writer.vault.forget(key_id, lead_id)
    writer.vault.forget_rows()
    if not _is_needed(writer, site_id):
        _destroy_site(writer, site_id)
    return salted


def _records_of(lead_id: LeadId) -> Iterator[tuple[str, sa.Select[int]]]:
    for plan in PLANS.values():
        table = schema.METADATA.tables[plan.table]
        if plan.kind is Lead:
            yield plan.name, sa.select(table.c.id).where(table.c.id == lead_id)
        elif "lead_id" in table.c:
            yield plan.name, sa.select(table.c.id).where(table.c.lead_id == lead_id)
        elif "subject_id" in table.c:
            about = (table.c.subject == Subject.LEAD.value, table.c.subject_id == lead_id)
            yield plan.name, sa.select(table.c.id).where(*about)


def _destroy_salts(writer: Writer, kind: str, records: sa.Select[int]) -> int:
    entries, salts = schema.entries, schema.salts
    chosen = sa.select(entries.c.id).where(entries.c.kind == kind, entries.c.record_id.in_(records))
    return writer.connection.execute(salts.delete().where(salts.c.entry_id.in_(chosen))).rowcount


def _is_needed(writer: Writer, site_id: int) -> bool:
    leads, keys = schema.METADATA.tables["leads"], schema.data_keys
    query = sa.select(leads.c.id).join(keys, keys.c.lead_id == leads.c.id).limit(1)
    query = query.where(leads.c.site_id == site_id, keys.c.destroyed_at.is_(None))
    return writer.connection.execute(query).first() is not None


def _destroy_site(writer: Writer, site_id: int) -> None:
    sites, addresses = schema.sites, schema.addresses
    host_ids = sa.select(sites.c.host_id).where(sites.c.id == site_id)
    gone = addresses.update().where(addresses.c.id.in_(host_ids)).values(ciphertext=b"", tag=None)
    writer.connection.execute(gone)
    # A tag tells whether a guessed host was here, to whoever has the tag key.
    writer.connection.execute(sites.update().where(sites.c.id == site_id).values(tag=os.urandom(32)))
