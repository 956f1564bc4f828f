"""What crawls have learned of a site's address patterns, so that a later crawl need not learn it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from caselog import schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from caselog.records.ids import SiteId
    from caselog.store.log import Reader, Writer


def load(reader: Reader, site_id: SiteId, restore: Callable[[str, int, float, int], None]) -> None:
    """Call `restore(pattern, asked, gained, refused)` for each pattern of the site."""
    table = schema.site_patterns
    for row in reader.connection.execute(sa.select(table).where(table.c.site_id == site_id)):
        restore(row.pattern, row.asked, row.gained, row.refused)


def save(writer: Writer, site_id: SiteId, pattern: str, *, asked: int, gained: float, refused: int) -> None:
    """Keep the figures of one pattern."""
    table = schema.site_patterns
    where = (table.c.site_id == site_id, table.c.pattern == pattern)
    values = {"asked": asked, "gained": gained, "refused": refused}
    done = writer.connection.execute(table.update().where(*where).values(**values))
    if not done.rowcount:
        writer.connection.execute(table.insert().values(site_id=site_id, pattern=pattern, **values))
