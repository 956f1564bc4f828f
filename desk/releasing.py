"""Let a second person release a notice, once nothing speaks against it any more.

In: a drafted notice and everything around it. Out: a `Release`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from caselog.errors import ConfigError, IntakeError, RefusedError
from caselog.process import holds_address
from caselog.records.notices import Notice, Release
from caselog.store.users import user_named
from desk.drafting import hold_text, may_carry, plan_for, read_desk
from desk.material import read_hostings
from exports.notices import Hold, HoldReason, may_release
from exports.recipients import contact_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from caselog.store.log import Reader, Writer
    from caselog.workspace import Workspace
    from desk.access import Acting
    from desk.drafting import Desk


def release_notice(
    workspace: Workspace,
    writer: Writer,
    acting: Acting,
    notice_id: int,
    *,
    preserved_by: str | None,
    now: datetime,
    desk: Desk | None = None,
) -> Release:
    """Record that a second person lets a notice go out.

    Args:
        workspace: The workspace.
        writer: The transaction; what it sees is what is released.
        acting: Who releases.
        notice_id: The notice.
        preserved_by: Who preserves the content; None is nobody.
        now: The time of the release.
        desk: As `read_desk` gave it in this transaction, for whoever releases several.

    Raises:
        IntakeError: There is no such notice, or it is not open.
        RefusedError: The person drafted it, an item is unconfirmed, gone or stands elsewhere by now, it
            is held, or nobody preserves the content where the settings demand it.

    """
    notice = writer.get(Notice, notice_id)
    desk = desk or read_desk(workspace, writer)
    user = user_named(writer, acting.name)
    word = may_release(notice, user, desk.state(notice)) if user else "role"
    _refuse_release(notice, desk, word)
    _refuse_moved(workspace, writer, notice, desk)
    return writer.append(
        Release(
            notice_id=notice.id,
            released_by=acting.name,
            os_user=acting.os_user,
            preserved_by=checked_preserver(workspace.config.notices.preservation, preserved_by),
            police_cleared=desk.police_cleared(notice),
            released_at=now,
        )
    )


def checked_preserver(setting: str, preserved_by: str | None) -> str | None:
    """Return who preserves the content, as a release records it.

    Raises:
        RefusedError: The settings demand it, and nobody is named (`preservation`).
        ConfigError: The name is too long, or looks like an address.

    """
    name = (preserved_by or "").strip()
    if setting == "require" and not name:
        raise RefusedError(
            "A release has to say who preserves the content.",
            "Give it: --preserved-by WHO.",
            code="preservation",
        )
    if len(name) > 120 or holds_address(name):
        raise ConfigError(
            "Who preserves the content is a name of at most 120 characters, not an address.",
            "Name the authority.",
        )
    return name or None


def _refuse_release(notice: Notice, desk: Desk, word: str | None) -> None:
    """Raise for the gravest reason first: the person, then the evidence, then other holds."""
    if word == "not_open":
        state = desk.state(notice).value
        raise IntakeError(f"Notice {notice.id} is {state} and cannot be released.", "Nothing to do.")
    if word == "own_draft":
        raise RefusedError(
            f"Notice {notice.id} was drafted by the same person.",
            "Let another officer or supervisor release it: --user NAME.",
            code="own_draft",
        )
    if word is not None and word != "held":
        raise RefusedError("Only an officer or a supervisor releases notices.", code=word)
    out = [number for number in notice.evidence_ids if not may_carry(desk.item(number))]
    if out:
        raise RefusedError(
            f"Notice {notice.id} names evidence that is removed, rejected or closed by now: {_listed(out)}.",
            "Close it and draft anew: leadline notices close.",
            code="gone",
        )
    standing = desk.standing(notice)
    unconfirmed = next((one for one in standing if one.reason is HoldReason.EVIDENCE_UNCONFIRMED), None)
    if unconfirmed is not None:
        raise RefusedError(
            f"Notice {notice.id} carries unconfirmed evidence: {_listed(unconfirmed.about)}.",
            "Confirm or reject it first: leadline evidence confirm ID --reason TEXT.",
            code="evidence_unconfirmed",
        )
    if standing:
        raise RefusedError(
            f"Notice {notice.id} is held: {', '.join(map(hold_text, standing))}.",
            _way_out(standing),
            code="held",
        )


def _refuse_moved(workspace: Workspace, reader: Reader, notice: Notice, desk: Desk) -> None:
    """Refuse a notice whose items the newest look-ups would not send to this recipient any more."""
    items = [desk.item(number) for number in notice.evidence_ids]
    hostings = read_hostings(reader, (item.host for item in items))
    plan = plan_for(workspace, desk, items, hostings, already={})
    key = contact_key(notice.recipient)
    there = {
        number
        for group in plan.groups
        if contact_key(group.recipient) == key
        for number in group.evidence_ids
    }
    elsewhere = [number for number in notice.evidence_ids if number not in there]
    if elsewhere:
        raise RefusedError(
            f"Notice {notice.id} names evidence that is hosted elsewhere by now: {_listed(elsewhere)}.",
            "Close it and draft anew: leadline notices close.",
            code="moved",
        )


def _way_out(standing: Sequence[Hold]) -> str:
    reasons = {hold.reason for hold in standing}
    if reasons & {HoldReason.UNKNOWN_CONTACT, HoldReason.GUESSED_CONTACT}:
        return "Approve the contact: leadline contacts approve ADDRESS --reason TEXT."
    if all(hold.clearable for hold in standing):
        return "Clear it: leadline notices clear ID --reason TEXT."
    return "Add what is missing, then release again."


def _listed(numbers: Iterable[object]) -> str:
    return ", ".join(str(number) for number in numbers)
