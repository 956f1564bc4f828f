"""`exclude` and `stop`: hosts that are never contacted, or no longer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from desk.call import Call, call_of
from desk.listing import IDS, REVEAL, REVEAL_REASON, print_list

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from caselog.records.choices import Verdict
    from caselog.store.log import Reader

HOST = typer.Argument(metavar="HOST", help="A host, with :port for that port only, or an address on it.")
REASON = typer.Option(None, "--reason", metavar="TEXT", help="Why; kept encrypted.")


def register(root: typer.Typer) -> None:
    """Add these commands to the command line."""
    exclude = typer.Typer(help="Hosts that are never contacted.", no_args_is_help=True)
    exclude.command("add", epilog='Example: leadline exclude add help.example --reason "support service"')(
        add
    )
    exclude.command("remove", epilog="Example: leadline exclude remove help.example")(remove)
    exclude.command("list", epilog="Example: leadline exclude list")(list_hosts)
    root.add_typer(exclude, name="exclude")
    root.command("stop", epilog='Example: leadline stop bread.example --reason "asked by the police"')(stop)


def add(context: typer.Context, host: str = HOST, reason: str | None = REASON) -> None:
    """Never contact a host; a running crawl leaves it at once."""
    from caselog.records.choices import Verdict

    _decide(call_of(context), host, Verdict.EXCLUDED, reason)


def remove(context: typer.Context, host: str = HOST, reason: str | None = REASON) -> None:
    """Allow a host again that was excluded or stopped."""
    from caselog.records.choices import Verdict

    _decide(call_of(context), host, Verdict.INCLUDED, reason)


def stop(context: typer.Context, host: str = HOST, reason: str | None = REASON) -> None:
    """Stop a host now; a running crawl leaves it at once."""
    from caselog.records.choices import Verdict

    _decide(call_of(context), host, Verdict.STOPPED, reason)


def list_hosts(
    context: typer.Context, ids: list[int] = IDS, reveal: bool = REVEAL, reason: str | None = REVEAL_REASON
) -> None:
    """List excluded and stopped hosts; their numbers are those of the sites."""
    from caselog.records.choices import Subject
    from caselog.store.exclusions import excluded_hosts, stopped_hosts
    from caselog.store.sites import known_site

    def build(reader: Reader, show: Callable[[str], str]) -> Iterator[dict[str, Any]]:
        for state, hosts in (("excluded", excluded_hosts(reader)), ("stopped", stopped_hosts(reader))):
            for host in sorted(hosts):
                yield {"site_id": known_site(reader, host), "host": show(host), "state": state}

    print_list(
        call_of(context),
        build,
        ("site_id", "state", "host"),
        subject=Subject.SITE,
        ids=ids,
        reveal=reveal,
        reason=reason,
        key="site_id",
    )


def _decide(call: Call, host: str, verdict: Verdict, reason: str | None) -> None:
    """Record a decision on a site, which need not be known yet, and name it by its tag."""
    from caselog.errors import ConfigError, IntakeError
    from caselog.records.choices import Subject
    from caselog.store.sites import site_for, site_tag
    from crawler.reading.address import canonical_url, host_key
    from desk.access import Act, now
    from desk.reveal import checked_reason
    from desk.verdicts import decide

    why = checked_reason(reason, verdict.value, required=False)
    try:
        key = host_key(canonical_url(host if "://" in host else f"http://{host}/"))
    except IntakeError as error:
        raise ConfigError("This is no host name.", "Example: leadline exclude add help.example") from error
    with call.acting(Act.EXCLUDE) as (workspace, acting), workspace.log.write() as writer:
        site_id = site_for(writer, key)
        decide(writer, acting, Subject.SITE, site_id, verdict, now=now(), reason=why, detail=key)
        tag = site_tag(writer, site_id)
    call.out.row({"site_id": site_id, "tag": tag, "state": verdict})
