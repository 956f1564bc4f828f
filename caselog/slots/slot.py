"""Take a worker's numbered place: on this machine by a file's lock, over several by the database's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from caselog.errors import RefusedError
from caselog.slots.local import is_held, take_local
from caselog.slots.shared import held_numbers, take_shared

if TYPE_CHECKING:
    from caselog.workspace import Workspace

MOST_WORKERS = 256


class Slot(Protocol):
    """A numbered place that nobody else has."""

    @property
    def number(self) -> int:
        """Return the number."""

    def is_held(self) -> bool:
        """Tell whether the place is still ours; once lost it is lost for good."""

    def is_connected(self) -> bool:
        """Tell whether the place is known to be ours at this moment."""

    def note_child(self, pid: int | None) -> None:
        """Note the process that must end with this one."""

    def leave(self) -> None:
        """Give the place up."""


def take_slot(workspace: Workspace) -> Slot:
    """Take the lowest free place; on SQLite there is one.

    Raises:
        RefusedError: All are taken.
        OutageError: The database is away.
        ConfigError: The database server is too old.
    """
    if not workspace.is_shared():
        return take_local(workspace.folder)
    slot = take_shared(workspace.database_url(), range(MOST_WORKERS))
    if slot is None:
        raise RefusedError("All places of workers are taken.", "Stop a worker first.", code="busy")
    return slot


def try_slot(workspace: Workspace, number: int) -> Slot | None:
    """Take the place of a dead worker, or return None while it lives."""
    if workspace.is_shared():
        return take_shared(workspace.database_url(), (number,))
    return None


def living(workspace: Workspace) -> frozenset[int]:
    """Return the numbers of the places that are held now.

    Raises:
        OutageError: The database is away.
    """
    if workspace.is_shared():
        return held_numbers(workspace.database_url())
    return frozenset({0}) if is_held(workspace.folder) else frozenset()
