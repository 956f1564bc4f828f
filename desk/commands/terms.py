"""`terms`: the operator's own rules, encrypted at rest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from desk.call import call_of
from desk.listing import IDS, REVEAL, REVEAL_REASON, print_list

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from caselog.store.log import Reader


def register(root: typer.Typer) -> None:
    """Add these commands to the command line."""
    terms = typer.Typer(help="The operator's own rules, encrypted at rest.", no_args_is_help=True)
    terms.command("import", epilog="Example: leadline terms import rules.csv")(import_terms)
    terms.command("list", epilog='Example: leadline terms list --reveal --reason "review of rules"')(
        list_terms
    )
    root.add_typer(terms, name="terms")


def import_terms(
    context: typer.Context, file: str = typer.Argument(metavar="FILE", help="CSV: id,term,weight,kind.")
) -> None:
    """Replace all rules by those of a file; bad rows come back in FILE.rejected.csv."""
    from crawler.reading.normalise import runs
    from desk.access import Act, now
    from desk.commands.leads import opened, say_rejected
    from desk.intake import rejected_file
    from desk.intake_formats import BadRow, read_csv
    from desk.terms_file import COLUMNS, Term, check_terms, replace_rules

    call, path = call_of(context), Path(f"{file}.rejected.csv")
    with call.acting(Act.TERMS) as (workspace, acting):
        with opened(file) as stream, rejected_file(path) as reject:
            rows = list(check_terms(read_csv(stream, COLUMNS), lambda text: runs(text).strip()))
            bad = [row for row in rows if isinstance(row, BadRow)]
            for row in bad:
                reject(row)
        good = [row for row in rows if isinstance(row, Term)]
        version = None
        if good:
            with workspace.log.write() as writer:
                version = replace_rules(writer, good, added_by=acting.name, now=now())
    if bad:
        say_rejected(call, len(bad), path)
    if not good:
        call.out.say("No row is usable: the rules stay as they were.")
    call.out.summary(rules=len(good), rejected=len(bad), version=version)
    if bad or not good:
        raise typer.Exit(1)


def list_terms(
    context: typer.Context, ids: list[int] = IDS, reveal: bool = REVEAL, reason: str | None = REVEAL_REASON
) -> None:
    """List the rules in force by number; revealed, with the ids and terms of the file."""
    from caselog.records.choices import Subject
    from desk.rows import RULE_COLUMNS, rule_row
    from desk.terms_file import newest_rules

    def build(reader: Reader, _show: Callable[[str], str]) -> Iterator[dict[str, Any]]:
        return (rule_row(rule, reveal=reveal) for rule in newest_rules(reader))

    print_list(
        call_of(context),
        build,
        RULE_COLUMNS,
        subject=Subject.RULE,
        ids=ids,
        reveal=reveal,
        reason=reason,
        key="number",
    )
