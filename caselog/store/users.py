"""People of the hotline: the newest row of a name counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caselog.records.people import User

if TYPE_CHECKING:
    from caselog.store.log import Reader


def user_named(reader: Reader, name: str) -> User | None:
    """Return the person as the newest row says, also when no longer active; None when there is none."""
    return reader.latest(User, name=name)


def users(reader: Reader) -> list[User]:
    """Return the newest row of each name, in the order in which the names were first added."""
    return list({user.name: user for user in reader.find(User)}.values())
