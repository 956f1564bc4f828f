"""`enrich`, `hosting set` and `contacts`: who hosts what, and whom to write to."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import typer

from desk.call import call_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from caselog.records.choices import Verdict
    from caselog.store.log import Reader

CONTACT_COLUMNS = ("id", "address", "state", "role", "source", "hosts", "guessed")
REASON = typer.Option(..., "--reason", metavar="TEXT", help="Why; kept encrypted, without addresses.")
ADDRESS = typer.Argument(metavar="ADDRESS", help="A mailbox, as `contacts list` shows it.")


class ContactState(StrEnum):
    """What people decided on a contact."""

    NEW = "new"
    APPROVED = "approved"
    BLOCKED = "blocked"


def register(root: typer.Typer) -> None:
    """Add these commands to the command line."""
    root.command("enrich", epilog="Example: leadline enrich --host bread.example --refresh")(enrich)
    example = 'Example: leadline hosting set bread.example --country FI --source "reply" --reason "traced"'
    _group(root, "hosting", "Who hosts what, and where.").command("set", epilog=example)(set_hosting)
    contacts = _group(root, "contacts", "Mailboxes of providers, and a person's word on each.")
    contacts.command("list", epilog="Example: leadline contacts list --state new")(list_contacts)
    for name, command in (("approve", approve), ("block", block)):
        contacts.command(
            name, epilog=f'Example: leadline contacts {name} abuse@ovens.example --reason "looked up"'
        )(command)


def enrich(
    context: typer.Context,
    host: list[str] = typer.Option(
        [], "--host", metavar="HOST", help="Only this host, also one without evidence; may be repeated."
    ),
    refresh: bool = typer.Option(False, "--refresh", help="Also hosts looked up within the last seven days."),
) -> None:
    """Find out who hosts what has evidence, as far as [enrich] mode goes."""
    from dataclasses import asdict

    from caselog.errors import SourceError
    from desk.access import Act
    from desk.hosts import count_wanted, enrich_hosts

    call = call_of(context)
    with call.acting(Act.ENRICH) as (workspace, acting):
        named = [_host(one) for one in host] or None
        total = len(named) if named else count_wanted(workspace)
        with call.out.progress("hosts", total=total) as advance:
            found = enrich_hosts(workspace, acting, named, refresh=refresh, progress=advance)
    call.out.summary(**asdict(found))
    if found.failed:
        raise SourceError(
            f"A source failed for {found.failed} of the hosts; what the others said is recorded.",
            "Run leadline enrich again later.",
        )


def set_hosting(
    context: typer.Context,
    host: str = typer.Argument(metavar="HOST", help="A host, or an address on it."),
    country: str = typer.Option("", "--country", metavar="CC", help="The hosting country, ISO 3166-1."),
    contact: str = typer.Option("", "--contact", metavar="ADDRESS", help="The host's mailbox."),
    origin: str = typer.Option("", "--origin", metavar="IP", help="The address behind the proxy."),
    source: str = typer.Option(..., "--source", metavar="TEXT", help="Where it is known from."),
    reason: str = REASON,
) -> None:
    """Record a person's own tracing of a host as one more dated source."""
    from crawler.reading.defanged import defang
    from desk.access import Act, now
    from desk.hosts import add_tracing
    from desk.reveal import checked_reason
    from desk.rows import hosting_row
    from desk.tracing import Traced, checked_tracing

    call = call_of(context)
    with call.acting(Act.ENRICH) as (workspace, acting):
        tracing = checked_tracing(
            {Traced.COUNTRY: country, Traced.CONTACT: contact, Traced.ORIGIN: origin},
            source=source,
            reason=checked_reason(reason, "tracing"),
            by=acting.name,
            at=now(),
        )
        row = add_tracing(workspace, _host(host), tracing)
        call.out.row(hosting_row(row, show=defang))


def list_contacts(
    context: typer.Context,
    state: ContactState | None = typer.Option(None, "--state", help="Only contacts in this state."),
) -> None:
    """List the mailboxes that look-ups found, and what people decided on them."""
    from desk.access import Act

    call = call_of(context)
    with call.acting(Act.READ) as (workspace, _), workspace.log.read() as reader:
        rows = [row for row in contact_rows(reader) if state is None or row["state"] == state.value]
        call.out.rows(rows, CONTACT_COLUMNS)


def approve(context: typer.Context, address: str = ADDRESS, reason: str = REASON) -> None:
    """Approve a contact: notices to it are held no longer for being unknown."""
    from caselog.records.choices import Verdict

    _decide(context, address, Verdict.APPROVED, reason)


def block(context: typer.Context, address: str = ADDRESS, reason: str = REASON) -> None:
    """Block a contact: nothing is drafted to it any more, and open notices to it are held."""
    from caselog.records.choices import Verdict

    _decide(context, address, Verdict.BLOCKED, reason)


def contact_rows(reader: Reader) -> Iterator[dict[str, Any]]:
    """Give the row of every contact that some host's newest look-up names; `hosts` counts those hosts.

    A mailbox on the domain of a site is not shown.
    """
    from caselog.records.hosting import Hosting
    from desk.material import for_recipients, read_contacts
    from exports.recipients import contact_key, newest_hosting

    words, own = read_contacts(reader), _own_domains(reader)
    rows: dict[str, dict[str, Any]] = {}
    newest = {row.id: row for row in newest_hosting(reader.find(Hosting)).values()}
    for row in map(for_recipients, newest.values()):
        registrar = {"address": row.registrar_contact, "role": "registrar", "source": "registrar"}
        for contact in (*row.contacts, *([registrar] if row.registrar_contact else [])):
            key = contact_key(str(contact["address"]))
            known = rows.setdefault(
                key,
                {
                    "id": len(rows) + 1,
                    "address": contact["address"],
                    "state": _state(key, words.approved, words.blocked),
                    "role": contact["role"],
                    "source": contact["source"],
                    "guessed": bool(contact.get("guessed")),
                    "hosts": 0,
                },
            )
            known["hosts"] += 1
    for key in sorted((words.approved | words.blocked) - rows.keys()):
        state = _state(key, words.approved, words.blocked)
        rows[key] = {"id": len(rows) + 1, "address": key, "state": state, "hosts": 0}
    for found in rows.values():
        yield {**found, "address": None} if own(str(found["address"])) else found


def _own_domains(reader: Reader) -> Callable[[str], bool]:
    """Return what tells whether a mailbox stands on the domain of a site: such a one names the site."""
    from caselog.store.sites import site_hosts
    from enrich.names import Suffixes, canonical_name
    from exports.addresses import mail_domain

    suffixes = Suffixes()
    sites = {suffixes.registrable(canonical_name(key), private=True) for key in site_hosts(reader).values()}
    return lambda address: suffixes.registrable(mail_domain(address), private=True) in sites - {None}


def _state(key: str, approved: frozenset[str], blocked: frozenset[str]) -> str:
    if key in approved:
        return ContactState.APPROVED.value
    return ContactState.BLOCKED.value if key in blocked else ContactState.NEW.value


def _decide(context: typer.Context, address: str, verdict: Verdict, reason: str) -> None:
    from caselog.errors import ConfigError
    from caselog.records.choices import Subject
    from desk.access import Act, now
    from desk.reveal import checked_reason
    from desk.verdicts import decide
    from exports.addresses import is_mailbox
    from exports.recipients import contact_key

    call, why = call_of(context), checked_reason(reason, "decision")
    if not is_mailbox(address.strip()):
        raise ConfigError("This is not one plain mail address.", "List them: leadline contacts list.")
    key = contact_key(address)
    with call.acting(Act.ENRICH) as (workspace, acting), workspace.log.write() as writer:
        decide(writer, acting, Subject.CONTACT, 0, verdict, now=now(), reason=why, detail=key)
    call.out.row({"address": key, "state": verdict})


def _host(text: str) -> str:
    """Return the host key of a host or of an address on it."""
    from crawler.reading.address import canonical_url, host_key

    return host_key(canonical_url(text if "://" in text else f"http://{text}/"))


def _group(root: typer.Typer, name: str, about: str) -> typer.Typer:
    """Return the group of this name, which another module may have added already."""
    for info in root.registered_groups:
        if info.name == name and info.typer_instance is not None:
            return info.typer_instance
    made = typer.Typer(help=about, no_args_is_help=True)
    made.callback()(_keep)
    root.add_typer(made, name=name, help=about)
    return made


def _keep() -> None:
    """Keep a group with one command a group."""
