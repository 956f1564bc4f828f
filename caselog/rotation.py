"""A new master key: every data key is wrapped anew; sealed values, tags and the ledger stay as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from caselog import schema
from caselog.store.log import open_case_log
from caselog.vault import Keys, Vault

if TYPE_CHECKING:
    from pathlib import Path

    from caselog.store.log import Writer


def rotate(url: str, key_file: Path) -> Keys:
    """Give the key file a new master key, wrap all data keys by it, and return the new keys.

    A crash in between loses nothing: the file then holds both master keys, and a second run goes on.

    Args:
        url: The address of the database.
        key_file: The key file of its workspace.

    Raises:
        ConfigError: The key file or the database cannot be opened, or they do not belong together.
        SourceError: The database is busy or cannot be reached.
    """
    both = Keys.load(key_file).with_new_master()
    both.save(key_file)
    log = open_case_log(url, both)
    try:
        with log.write() as writer:
            wrap_anew(writer, Vault(both))
    finally:
        log.close()
    newest = both.with_newest_master_only()
    newest.save(key_file)
    return newest


def wrap_anew(writer: Writer, vault: Vault) -> int:
    """Wrap every living data key by the newest master key, and return how many there are."""
    table = schema.data_keys
    rows = writer.connection.execute(sa.select(table.c.id, table.c.wrapped)).all()
    living = [(key_id, wrapped) for key_id, wrapped in rows if wrapped]
    for key_id, wrapped in living:
        change = table.update().where(table.c.id == key_id).values(wrapped=vault.rewrap(key_id, wrapped))
        writer.connection.execute(change)
    return len(living)
