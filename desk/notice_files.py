"""Turn notices into what leaves the house: records become items, cut for an audience, written as files.

In: notices with their evidence and look-ups. Out: files, and a `Decision` EXPORTED for each notice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from caselog.errors import CaseError, IntakeError
from caselog.records.choices import Subject, Verdict
from caselog.records.hosting import Hosting
from caselog.records.leads import Case
from desk.drafting import OPEN, read_desk
from desk.verdicts import decide
from exports.documents import Format, render
from exports.files import write_documents
from exports.items import Authority, NoticeItem, Posting
from exports.letter import letter_text
from exports.notices import HoldReason, NoticeState, may_leave
from exports.recipients import newest_hosting
from exports.redact import Audience, redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

    from caselog.records.notices import Notice
    from caselog.store.log import Reader
    from caselog.workspace import Workspace
    from desk.access import Acting
    from desk.drafting import Desk
    from desk.material import Item
    from exports.documents import Document
    from exports.redact import Cut

PRACTICE_AUTHORITY = Authority(
    organisation="Practice hotline",
    country="ZZ",
    contact="desk@hotline.invalid",
    legal_basis="none: this is practice",
)
"""Stands in practice notices for what the settings leave empty; `ZZ` is no country (ISO 3166-1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What became of the notices."""

    notices: tuple[int, ...] = ()
    files: tuple[Path, ...] = ()
    refused: tuple[CaseError, ...] = ()
    """One for each notice that the format or the audience does not take."""
    left_out: int = 0
    """Items that a format could not take, while the notice went."""


def authority_of(workspace: Workspace) -> Authority:
    """Return who writes the notices; in practice, empty settings are filled with practice words."""
    settings = workspace.config.authority
    empty = Authority(organisation="", country="", contact="", legal_basis="")
    fallback = PRACTICE_AUTHORITY if workspace.practice else empty
    return Authority(
        organisation=settings.organisation or fallback.organisation,
        country=settings.country or fallback.country,
        contact=settings.contact or fallback.contact,
        legal_basis=settings.legal_basis or fallback.legal_basis,
        profile=settings.profile,
    )


def cut_for(
    workspace: Workspace, reader: Reader, notice: Notice, audience: Audience, desk: Desk | None = None
) -> Cut:
    """Return a notice as an audience may read it.

    Raises:
        RefusedError: An address cannot be printed.

    """
    desk = desk or read_desk(workspace, reader)
    rows = newest_hosting(reader.find(Hosting, id=list(notice.hosting_ids)))
    items = [
        notice_item(desk.item(number), rows.get(desk.item(number).host), _keyed(reader))
        for number in notice.evidence_ids
    ]
    return redact(items, audience, _posting(workspace, reader, notice, desk))


def notice_item(item: Item, hosting: Hosting | None, keyed: Callable[[str, str], str]) -> NoticeItem:
    """Return what some audience may be told about an evidence item.

    Args:
        item: The evidence and what surrounds it.
        hosting: The look-up that the notice rests on.
        keyed: Gives the HMAC of a value for a purpose, in hexadecimal.

    """
    evidence, page = item.evidence, item.page
    found = NoticeItem(
        evidence_id=evidence.id,
        item_id=f"i-{keyed('item', str(evidence.id))[:16]}",
        url=page.url,
        host=item.host,
        ip=page.peer_ip if page.via == "direct" else None,
        port=page.peer_port,
        first_confirmed_at=page.fetched_at,
        last_present_at=item.last_present_at,
        redirects=len(page.redirects),
        sha256=evidence.body_sha256,
        keyed_sha256=keyed("digest", evidence.body_sha256) if evidence.body_sha256 else None,
        commitment=evidence.commitment,
        size_bytes=evidence.size_bytes,
        classification=item.classification,
    )
    return found if hosting is None else _with_hosting(found, hosting)


def write_notices(
    workspace: Workspace,
    acting: Acting,
    folder: Path,
    *,
    form: Format,
    audience: Audience,
    numbers: Iterable[int] = (),
    now: datetime,
) -> Exported:
    """Write notices as files and record who exported them; a host is told released notices only.

    Args:
        workspace: The workspace.
        acting: Who exports.
        folder: Where the files go; made private.
        form: Their format.
        audience: Who will read them.
        numbers: Which notices; none stands for all that may leave for this audience.
        now: The time of the export.

    Raises:
        ConfigError: The folder cannot be used.

    """
    done: list[int] = []
    documents: list[Document] = []
    refused: list[CaseError] = []
    left_out = 0
    with workspace.log.write() as writer:
        desk = read_desk(workspace, writer)
        for notice, refusal in _chosen(desk, audience, list(numbers)):
            try:
                if refusal is not None:
                    raise refusal
                rendering = render(cut_for(workspace, writer, notice, audience, desk), form)
            except CaseError as error:
                refused.append(error)
                continue
            documents += rendering.documents
            left_out += len(rendering.refused)
            detail = f"{form.value} {audience.value}"
            decide(writer, acting, Subject.NOTICE, notice.id, Verdict.EXPORTED, now=now, detail=detail)
            done.append(notice.id)
        files = write_documents(folder, documents)
    return Exported(notices=tuple(done), files=files, refused=tuple(refused), left_out=left_out)


def text_of(workspace: Workspace, reader: Reader, notice: Notice) -> str:
    """Return the letter of a notice with its exact addresses."""
    return letter_text(cut_for(workspace, reader, notice, Audience.HOST))


def defanged_text(workspace: Workspace, reader: Reader, notice: Notice, defang: Callable[[str], str]) -> str:
    """Return the letter of a notice with defanged addresses."""
    cut = cut_for(workspace, reader, notice, Audience.HOST)
    items = tuple(
        replace(item, url=item.url and defang(item.url), host=item.host and defang(item.host))
        for item in cut.items
    )
    return letter_text(replace(cut, items=items))


def _chosen(desk: Desk, audience: Audience, numbers: list[int]) -> list[tuple[Notice, CaseError | None]]:
    notices = {int(notice.id): notice for notice in desk.papers.notices}
    if not numbers:
        return [(one, None) for one in notices.values() if _why_not(desk, one, audience) is None]
    chosen: list[tuple[Notice, CaseError | None]] = []
    for number in dict.fromkeys(numbers):
        notice = notices.get(number)
        if notice is None:
            raise IntakeError(f"There is no notice {number}.", "List them: leadline notices list.")
        chosen.append((notice, _why_not(desk, notice, audience)))
    return chosen


def _why_not(desk: Desk, notice: Notice, audience: Audience) -> CaseError | None:
    """Return why a notice may not leave for an audience, or None."""
    state = desk.state(notice)
    if not may_leave(state, audience):
        return IntakeError(
            f"Notice {notice.id} is {state.value}, and hosts are told released notices only.",
            "Let another person release it: leadline notices release ID.",
        )
    if state is NoticeState.CLOSED:
        return IntakeError(f"Notice {notice.id} is closed.", "Draft anew: leadline notices draft.")
    holds = {hold.reason for hold in desk.holds(notice)} if state in OPEN else set()
    if HoldReason.EVIDENCE_UNCONFIRMED in holds:
        return IntakeError(
            f"Notice {notice.id} carries unconfirmed evidence.", "Confirm or reject it: leadline evidence."
        )
    return None


def _with_hosting(item: NoticeItem, hosting: Hosting) -> NoticeItem:
    known = hosting.addresses
    ip = item.ip if not known or item.ip in known else known[0]
    return replace(
        item,
        ip=ip,
        port=item.port if ip == item.ip else None,
        provider=hosting.holder or hosting.network_name or hosting.as_name,
        asn=hosting.asn,
        as_name=hosting.as_name,
        network_name=hosting.network_name,
        network_range=hosting.network_range,
        network_handle=hosting.network_handle,
        resolved_at=hosting.resolved_at,
        proxied=bool(hosting.proxied),
        country=hosting.country,
        country_level=hosting.country_level,
    )


def _posting(workspace: Workspace, reader: Reader, notice: Notice, desk: Desk) -> Posting:
    authority = authority_of(workspace)
    release = next((one for one in reversed(desk.papers.releases) if one.notice_id == notice.id), None)
    return Posting(
        notice=notice,
        authority=authority,
        case_reference=reader.get(Case, notice.case_id).reference if notice.case_id else "",
        sender=workspace.config.mail.sender or authority.contact,
        dated_at=release.released_at if release else notice.created_at,
        preserved_by=release.preserved_by if release else None,
    )


def _keyed(reader: Reader) -> Callable[[str, str], str]:
    return lambda purpose, value: reader.vault.tag(f"notice-{purpose}", value).hex()


def cases_of(reader: Reader) -> Mapping[int, str]:
    """Return the reference of every case."""
    return {case.id: case.reference for case in reader.find(Case)}
