"""`notices`: draft, look through, hold, release, export."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from desk.call import call_of
from desk.listing import IDS, REVEAL, REVEAL_REASON, report_missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from caselog.errors import CaseError
    from caselog.records.choices import Verdict
    from caselog.store.log import Reader
    from caselog.workspace import Workspace
    from desk.call import Call
    from desk.drafting import Desk

NOTICE_IDS = typer.Argument(None, min=1, metavar="ID...", help="Numbers of notices.")
REASON = typer.Option(..., "--reason", metavar="TEXT", help="Why; kept encrypted, without addresses.")


class FormatName(StrEnum):
    """The formats of an export."""

    MAIL = "mail"
    XARF = "xarf"
    CSV = "csv"
    JSONL = "jsonl"


class AudienceName(StrEnum):
    """Who reads an export."""

    HOST = "host"
    HOTLINE = "hotline"
    POLICE = "police"
    CERT = "cert"


WHY_LEFT = {
    "no_hosting": "its host was not looked up; run leadline enrich",
    "onion": "an onion service has no host that could be told",
    "no_contact": "no contact is known; find one and enter it with leadline hosting set",
    "only_rejected": "every contact that was found is unfit; leadline hosting list says why",
    "blocked_contact": "its contact is blocked",
    "form_only": "its host takes reports by a web form only",
    "new_contact_limit": "a new contact gets five addresses at most; approve it and draft again",
}
"""What a person reads of the reasons for which evidence is left over."""


def register(root: typer.Typer) -> None:
    """Add these commands to the command line."""
    notices = typer.Typer(help="The letters to providers, from draft to release.", no_args_is_help=True)
    notices.command("draft", epilog="Example: leadline notices draft")(draft)
    notices.command("list", epilog="Example: leadline notices list")(list_notices)
    notices.command("show", epilog='Example: leadline notices show 3 --reveal --reason "last look"')(show)
    for name, command in (("hold", hold), ("clear", clear), ("close", close)):
        notices.command(name, epilog=f'Example: leadline notices {name} 3 --reason "asked by the police"')(
            command
        )
    notices.command(
        "release", epilog='Example: leadline --user ben notices release 3 --preserved-by "state police"'
    )(release)
    notices.command("export", epilog="Example: leadline notices export --to out --format xarf")(export)
    root.add_typer(notices, name="notices")


def draft(context: typer.Context) -> None:
    """Draft a notice for each provider contact that was not told yet; twice adds nothing."""
    from desk.access import Act, now
    from desk.drafting import draft_notices

    call = call_of(context)
    with call.acting(Act.DRAFT) as (workspace, acting):
        print_drafts(call, draft_notices(workspace, acting, now()))


def print_drafts(call: Call, found: Any) -> None:
    """Print new notices, what holds them, and what got no notice; then the summary line."""
    from desk.drafting import TOLD, hold_text
    from desk.rows import NOTICE_COLUMNS

    rows = []
    for notice in found.notices:
        holds = [hold_text(one) for one in found.holds[notice.id]]
        state = "held" if holds else "draft"
        rows.append({**_row(notice, state=state, case=None, release=None, delivered_at=None), "holds": holds})
    if rows:
        call.out.rows(rows, (*NOTICE_COLUMNS, "holds"))
    for one in found.referred:
        route = one.national_route or "no route is known"
        call.out.say(f"Evidence {one.evidence_id} is hosted in {one.country}: refer it ({route}).")
    left: dict[str, list[int]] = {}
    for one in found.leftovers:
        if one.reason != TOLD:
            left.setdefault(one.reason, []).append(one.evidence_id)
    for reason, numbers in left.items():
        listed = ", ".join(str(number) for number in numbers)
        call.out.say(f"No notice yet for evidence {listed}: {WHY_LEFT.get(reason, reason)}.")
    call.out.summary(**found.counts())


def list_notices(context: typer.Context, ids: list[int] = IDS) -> None:
    """List notices with their state."""
    from desk.access import Act
    from desk.rows import NOTICE_COLUMNS

    call = call_of(context)
    with call.acting(Act.READ) as (workspace, _), workspace.log.read() as reader:
        wanted = set(ids or ())
        rows = [row for row in notice_rows(workspace, reader) if not wanted or row["id"] in wanted]
    call.out.rows(rows, (*NOTICE_COLUMNS, "holds"))
    report_missing(call, ids, {row["id"] for row in rows})


def notice_rows(workspace: Workspace, reader: Reader) -> Iterator[dict[str, Any]]:
    """Give the row of every notice, with what holds it."""
    from desk.drafting import OPEN, hold_text, read_desk
    from desk.notice_files import cases_of

    desk, cases = read_desk(workspace, reader), cases_of(reader)
    releases = {release.notice_id: release for release in desk.papers.releases}
    for notice in desk.papers.notices:
        state = desk.state(notice)
        holds = [hold_text(one) for one in desk.standing(notice)] if state in OPEN else []
        row = _row(
            notice,
            state=state.value,
            case=cases.get(notice.case_id or 0),
            release=releases.get(notice.id),
            delivered_at=_delivered_at(desk, notice.id),
        )
        yield {**row, "holds": holds}


def show(
    context: typer.Context,
    number: int = typer.Argument(metavar="ID", help="Number of the notice."),
    reveal: bool = REVEAL,
    reason: str | None = REVEAL_REASON,
) -> None:
    """Show the letter; addresses are defanged unless revealed."""
    from caselog.records.notices import Notice
    from crawler.reading.defanged import defang
    from desk.access import Act
    from desk.notice_files import defanged_text

    call = call_of(context)
    if reveal:
        text = _revealed_text(call, number, reason)
    else:
        with call.acting(Act.READ) as (workspace, _), workspace.log.read() as reader:
            text = defanged_text(workspace, reader, reader.get(Notice, number), defang)
    if call.out.json:
        call.out.row({"id": number, "text": text})
    else:
        typer.echo(text, nl=False)


def hold(context: typer.Context, ids: list[int] = NOTICE_IDS, reason: str = REASON) -> None:
    """Hold notices, released ones too as long as they were not handed over."""
    from caselog.records.choices import Verdict

    _decide_each(context, ids, Verdict.HELD, reason)


def clear(context: typer.Context, ids: list[int] = NOTICE_IDS, reason: str = REASON) -> None:
    """Lift what a person may lift: a hold, an unknown contact, the wait for the police."""
    from caselog.records.choices import Verdict

    _decide_each(context, ids, Verdict.CLEARED, reason)


def close(context: typer.Context, ids: list[int] = NOTICE_IDS, reason: str = REASON) -> None:
    """Close notices; items of a draft that was closed may be drafted anew."""
    from caselog.records.choices import Verdict

    _decide_each(context, ids, Verdict.CLOSED, reason)


def release(
    context: typer.Context,
    ids: list[int] = NOTICE_IDS,
    every: bool = typer.Option(False, "--all", help="All notices that wait."),
    preserved_by: str = typer.Option(
        "", "--preserved-by", metavar="WHO", help="Who preserves the content; recorded."
    ),
) -> None:
    """Let notices go out; another person than the one who drafted them."""
    from caselog.errors import CaseError
    from desk.access import Act, now
    from desk.drafting import read_desk
    from desk.releasing import checked_preserver, release_notice

    call, done, refused = call_of(context), 0, []
    with call.acting(Act.RELEASE) as (workspace, acting), workspace.log.write() as writer:
        setting = workspace.config.notices.preservation
        who = checked_preserver(setting, preserved_by)
        desk = read_desk(workspace, writer)
        for number in _numbers(ids, every, lambda: _open_notices(desk)):
            try:
                release_notice(workspace, writer, acting, number, preserved_by=who, now=now(), desk=desk)
                done += 1
            except CaseError as error:
                refused.append(error)
    if setting == "ask" and who is None and done:
        call.out.say("Nobody is recorded to preserve the content; say who with --preserved-by WHO.")
    _end(call, refused, released=done)


def export(
    context: typer.Context,
    ids: list[int] = NOTICE_IDS,
    to: str = typer.Option(..., "--to", metavar="DIR", help="A private folder for the files."),
    form: FormatName = typer.Option(FormatName.MAIL, "--format", help="One of the formats."),
    audience: AudienceName = typer.Option(AudienceName.HOST, "--audience", help="Who will read them."),
) -> None:
    """Write notices as files, cut for their audience; hosts are told released ones only."""
    from desk.access import Act, now
    from desk.notice_files import write_notices
    from exports.documents import Format
    from exports.redact import Audience

    call = call_of(context)
    with call.acting(Act.EXPORT) as (workspace, acting):
        found = write_notices(
            workspace,
            acting,
            Path(to),
            form=Format(form.value),
            audience=Audience(audience.value),
            numbers=ids or (),
            now=now(),
        )
    for path in found.files:
        call.out.row({"file": path.name})
    _end(call, found.refused, notices=len(found.notices), files=len(found.files), left_out=found.left_out)


def _decide_each(context: typer.Context, ids: Sequence[int] | None, verdict: Verdict, reason: str) -> None:
    from caselog.errors import IntakeError
    from desk.access import Act, now
    from desk.drafting import decide_notice
    from desk.reveal import checked_reason

    call, why = call_of(context), checked_reason(reason, "decision")
    done, refused = 0, []
    with call.acting(Act.DRAFT) as (workspace, acting), workspace.log.write() as writer:
        for number in _numbers(ids, False, list):
            try:
                decide_notice(writer, acting, number, verdict, reason=why, now=now())
                done += 1
            except IntakeError as error:
                refused.append(error)
    _end(call, refused, done=done)


def _revealed_text(call: Call, number: int, reason: str | None) -> str:
    """Return the letter with exact addresses; the reveal is recorded in the same transaction."""
    from caselog.records.choices import Subject
    from caselog.records.notices import Notice
    from desk.access import Act, now
    from desk.notice_files import text_of
    from desk.reveal import record_reveal

    with call.acting(Act.REVEAL) as (workspace, acting), workspace.log.write() as writer:
        notice = writer.get(Notice, number)
        record_reveal(
            writer,
            acting,
            Subject.EVIDENCE,
            notice.evidence_ids,
            reason=reason,
            practice=workspace.practice,
            by_id=True,
            now=now(),
        )
        return text_of(workspace, writer, notice)


def _open_notices(desk: Desk) -> list[int]:
    from desk.drafting import OPEN

    return [notice.id for notice in desk.papers.notices if desk.state(notice) in OPEN]


def _numbers(ids: Sequence[int] | None, every: bool, all_of: Callable[[], list[int]]) -> list[int]:
    from caselog.errors import ConfigError

    named = list(dict.fromkeys(ids or ()))
    if bool(named) == every:
        raise ConfigError("Name notices, or say --all where it is allowed.", "See: leadline notices list.")
    return all_of() if every else named


def _delivered_at(desk: Desk, notice_id: int) -> Any:
    from caselog.records.choices import DeliveryState

    steps = [one for one in desk.papers.deliveries if one.notice_id == notice_id]
    return next((one.recorded_at for one in steps if one.state is DeliveryState.ACCEPTED), None)


def _row(notice: Any, **fields: Any) -> dict[str, Any]:
    from desk.rows import notice_row

    return notice_row(notice, **fields)


def _end(call: Call, refused: Sequence[CaseError], **counts: int) -> None:
    """Report what was refused, print the summary, and leave with the gravest exit status."""
    for error in refused:
        call.out.item_error(error)
    call.out.summary(**counts, rejected=len(refused))
    if refused:
        raise typer.Exit(max(error.exit_status for error in refused))
