"""Sealed values in the database: whose data key, which `addresses` row, and back to plain text.

A value that is already sealed under the same data key is not sealed again: its row is found by its tag.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import sqlalchemy as sa

from caselog import schema
from caselog.errors import IntakeError, RefusedError, TamperedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy.engine import Connection

    from caselog.store.rows import Statements
    from caselog.vault import Vault

REMEMBERED_ADDRESSES = 50_000
BATCH = 500


class SealMemory:
    """What one process remembers of committed rows: data keys of leads, and rows of sealed values."""

    def __init__(self, vault: Vault, statements: Statements) -> None:
        self.vault = vault
        self.statements = statements
        self.key_ids: dict[int | None, int] = {}
        self._rows: OrderedDict[tuple[int, bytes], int] = OrderedDict()

    def row_of(self, key_id: int, tag: bytes) -> int | None:
        """Return the remembered row of a value, or None."""
        return self._rows.get((key_id, tag))

    def remember(self, rows: Mapping[tuple[int, bytes], int]) -> None:
        """Keep rows in mind; the oldest are forgotten first."""
        self._rows.update(rows)
        while len(self._rows) > REMEMBERED_ADDRESSES:
            self._rows.popitem(last=False)

    def forget(self, key_id: int, lead_id: int | None) -> None:
        """Forget a lead's data key."""
        self.vault.forget(key_id)
        self.key_ids.pop(lead_id, None)

    def forget_rows(self) -> None:
        """Forget which rows hold which values."""
        self._rows.clear()


class Seals:
    """The vault of one transaction; what it makes is remembered only once the transaction is committed."""

    def __init__(self, memory: SealMemory) -> None:
        self._memory = memory
        self._vault = memory.vault
        self._new_keys: dict[int, int | None] = {}
        self._new_rows: dict[tuple[int, bytes], int] = {}

    def settle(self) -> None:
        """Remember what this transaction made; call it after the commit."""
        self._memory.key_ids.update({lead: key for key, lead in self._new_keys.items()})
        self._memory.remember(self._new_rows)

    def undo(self) -> None:
        """Forget what this transaction made; call it before the rollback, which frees the numbers."""
        for key_id in self._new_keys:
            self._vault.forget(key_id)
        self._new_keys.clear()
        self._new_rows.clear()

    def forget(self, key_id: int, lead_id: int) -> None:
        """Forget a lead's data key that was destroyed."""
        self._memory.forget(key_id, lead_id)

    def forget_rows(self) -> None:
        """Forget which rows hold which values, after some were destroyed."""
        self._memory.forget_rows()
        self._new_rows.clear()

    def tag(self, purpose: str, value: str | bytes) -> bytes:
        """Return the equality tag of `value` for one purpose, 32 bytes."""
        return self._vault.tag(purpose, value)

    def derived_salt(self, purpose: str, data: bytes) -> bytes:
        """Return 32 secret bytes that are the same for the same purpose and data."""
        return self._vault.derived_salt(purpose, data)

    def key_id(self, connection: Connection, lead_id: int | None) -> int:
        """Return the number of a lead's data key, or of the workspace's for None; make it at first use.

        Raises:
            RefusedError: The key was destroyed.
        """
        known = self._memory.key_ids.get(lead_id)
        if known is None:
            known = next((key for key, lead in self._new_keys.items() if lead == lead_id), None)
        if known is not None and self._vault.knows(known):
            return known
        return self._find_key(connection, lead_id) or self.new_key(connection, lead_id)

    def new_key(self, connection: Connection, lead_id: int | None) -> int:
        """Make a data key and return its number."""
        key_id = self._memory.statements.insert("data_keys").run(
            connection, {"lead_id": lead_id, "wrapped": b"", "destroyed_at": None}
        )
        if key_id is None:
            raise IntakeError("A data key could not be made.", "Run leadline doctor.")
        self._new_keys[key_id] = lead_id
        self._write_key(connection, key_id, {"wrapped": self._vault.new_data_key(key_id)})
        return key_id

    def give_key(self, connection: Connection, key_id: int, lead_id: int) -> None:
        """Make a key of this transaction that of a lead which has its number only now."""
        self._new_keys[key_id] = lead_id
        self._write_key(connection, key_id, {"lead_id": lead_id})

    def seal_bytes(self, key_id: int, purpose: str, text: str) -> bytes:
        """Return `text` sealed under a data key that `key_id` returned in this process."""
        return self._vault.seal(key_id, purpose, text.encode())

    def open_bytes(self, connection: Connection, key_id: int, purpose: str, sealed: bytes) -> str:
        """Return the text that was sealed under a data key for the same purpose.

        Raises:
            RefusedError: The data key was destroyed.
            TamperedError: The value was changed.
        """
        if not self._vault.knows(key_id) and key_id in self.learn(connection, [key_id]):
            raise _destroyed()
        return self._vault.open(key_id, purpose, sealed).decode()

    def address_id(self, connection: Connection, key_id: int, purpose: str, text: str) -> int:
        """Return the number of the row that holds `text` under a data key; make it when there is none."""
        tag = self._vault.tag(purpose, text)
        known = self._new_rows.get((key_id, tag)) or self._memory.row_of(key_id, tag)
        if known is None:
            known = self._insert_address(connection, key_id, tag, self.seal_bytes(key_id, purpose, text))
            self._new_rows[key_id, tag] = known
        return known

    def open_addresses(self, connection: Connection, wanted: Mapping[int, str]) -> dict[int, str | None]:
        """Return the plain text of `addresses` rows; None where it was purged.

        Args:
            connection: The transaction's.
            wanted: Row numbers and the purpose that each was sealed for.

        Raises:
            TamperedError: A row is missing or was changed.
        """
        rows = self._address_rows(connection, sorted(wanted))
        destroyed = self.learn(connection, {row.key_id for row in rows})
        if len(rows) != len(wanted):
            raise TamperedError("A sealed value is missing.", "Restore the database from a backup.")
        return {
            row.id: None
            if row.key_id in destroyed or not row.ciphertext
            else self._vault.open(row.key_id, wanted[row.id], row.ciphertext).decode()
            for row in rows
        }

    def addresses_of(self, connection: Connection, purpose: str, texts: Iterable[str]) -> list[int]:
        """Return the numbers of all rows that hold one of `texts`, under whatever data key."""
        tags = [self._vault.tag(purpose, text) for text in texts]
        table = schema.addresses
        found: list[int] = []
        for at in range(0, len(tags), BATCH):
            query = sa.select(table.c.id).where(table.c.tag.in_(tags[at : at + BATCH]))
            found += connection.execute(query).scalars()
        return found

    def learn(self, connection: Connection, key_ids: Iterable[int]) -> set[int]:
        """Bring data keys into memory, and return those that were destroyed."""
        table = schema.data_keys
        missing = sorted(key_id for key_id in set(key_ids) if not self._vault.knows(key_id))
        destroyed: set[int] = set()
        for at in range(0, len(missing), BATCH):
            query = sa.select(table.c.id, table.c.wrapped).where(table.c.id.in_(missing[at : at + BATCH]))
            for key_id, wrapped in connection.execute(query):
                if wrapped:
                    self._vault.learn(key_id, wrapped)
                else:
                    destroyed.add(key_id)
        return destroyed

    def _find_key(self, connection: Connection, lead_id: int | None) -> int | None:
        table = schema.data_keys
        query = sa.select(table.c.id).where(table.c.lead_id == lead_id).order_by(table.c.id).limit(1)
        key_id = connection.execute(query).scalar_one_or_none()
        if key_id is not None:
            if self.learn(connection, [key_id]):
                raise _destroyed()
            self._memory.key_ids[lead_id] = key_id
        return key_id

    def _write_key(self, connection: Connection, key_id: int, values: dict[str, object]) -> None:
        table = schema.data_keys
        connection.execute(table.update().where(table.c.id == key_id).values(**values))

    def _insert_address(self, connection: Connection, key_id: int, tag: bytes, ciphertext: bytes) -> int:
        insert = self._memory.statements.insert("addresses", unless_there=True)
        made = insert.run(connection, {"key_id": key_id, "ciphertext": ciphertext, "tag": tag})
        if made is not None:
            return made
        table = schema.addresses
        query = sa.select(table.c.id).where(table.c.key_id == key_id, table.c.tag == tag)
        return int(connection.execute(query).scalar_one())

    def _address_rows(self, connection: Connection, ids: list[int]) -> list[sa.Row[int, int, bytes]]:
        table = schema.addresses
        rows: list[sa.Row[int, int, bytes]] = []
        for at in range(0, len(ids), BATCH):
            query = sa.select(table.c.id, table.c.key_id, table.c.ciphertext)
            rows += connection.execute(query.where(table.c.id.in_(ids[at : at + BATCH]))).all()
        return rows


def _destroyed() -> RefusedError:
    return RefusedError(
        "The data key of this lead was destroyed by a purge.", "Add the lead anew.", code="purged"
    )
