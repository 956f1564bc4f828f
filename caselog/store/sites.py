"""Sites: one row for each canonical host key, so that logs and lists can name a host without telling it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from caselog import schema
from caselog.errors import IntakeError
from caselog.records.ids import SiteId

if TYPE_CHECKING:
    from collections.abc import Iterable

    from caselog.store.log import Reader, Writer

HOST = "host"


def site_for(writer: Writer, host: str) -> SiteId:
    """Return the number of the site with this canonical host key; make it when there is none."""
    found = known_site(writer, host)
    if found is not None:
        return found
    key_id = writer.vault.key_id(writer.connection, None)
    row = {
        "host_id": writer.vault.address_id(writer.connection, key_id, HOST, host),
        "tag": writer.vault.tag(HOST, host),
    }
    writer.insert_new(schema.sites, [row], ["tag"])
    made = known_site(writer, host)
    if made is None:
        raise IntakeError("A site could not be made.", "Run leadline doctor.")
    return made


def known_site(reader: Reader, host: str) -> SiteId | None:
    """Return the number of the site with this host key, or None."""
    query = sa.select(schema.sites.c.id).where(schema.sites.c.tag == reader.vault.tag(HOST, host))
    found = reader.connection.execute(query).scalar_one_or_none()
    return None if found is None else SiteId(found)


def site_host(reader: Reader, site_id: SiteId) -> str:
    """Return the host key of a site.

    Raises:
        IntakeError: There is no such site.
    """
    hosts = site_hosts(reader, [site_id])
    if site_id not in hosts:
        raise IntakeError(f"There is no site {site_id}.", "List what there is: leadline sites list.")
    return hosts[site_id]


def site_hosts(reader: Reader, site_ids: Iterable[SiteId] | None = None) -> dict[SiteId, str]:
    """Return the host key of each of these sites, or of all; purged ones are left out."""
    query = sa.select(schema.sites.c.id, schema.sites.c.host_id)
    if site_ids is not None:
        query = query.where(schema.sites.c.id.in_(list(site_ids)))
    rows = reader.connection.execute(query).all()
    texts = reader.vault.open_addresses(reader.connection, dict.fromkeys((row.host_id for row in rows), HOST))
    return {SiteId(row.id): text for row in rows if (text := texts[row.host_id]) is not None}


def site_tag(reader: Reader, site_id: SiteId) -> str:
    """Return the short name of a site in logs and lists: `s-` and 8 hexadecimal digits.

    Raises:
        IntakeError: There is no such site.
    """
    query = sa.select(schema.sites.c.tag).where(schema.sites.c.id == site_id)
    tag = reader.connection.execute(query).scalar_one_or_none()
    if tag is None:
        raise IntakeError(f"There is no site {site_id}.", "List what there is: leadline sites list.")
    return tag_text(tag)


def site_tags(reader: Reader) -> dict[SiteId, str]:
    """Return the short name of every site."""
    rows = reader.connection.execute(sa.select(schema.sites.c.id, schema.sites.c.tag))
    return {SiteId(number): tag_text(tag) for number, tag in rows}


def tag_text(tag: bytes) -> str:
    """Return the short name that a host's tag makes."""
    return f"s-{bytes(tag[:4]).hex()}"
