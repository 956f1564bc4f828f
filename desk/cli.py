"""The command line `leadline`: collects the commands, sets the process up, turns errors into exit statuses.

Only Typer and the standard library are imported here and in the command modules, so that `--help` is quick.
"""

from __future__ import annotations

import errno
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from caselog.errors import CaseError
from caselog.process import harden_process, start_logging
from desk.call import Call
from desk.commands import (
    cases,
    checks,
    crawl,
    demo,
    evidence,
    exclusions,
    hosting,
    leads,
    ledger,
    notices,
    people,
    records,
    run,
    terms,
    worker,
    workspace,
)
from desk.output import Output, bug_report, json_line

if TYPE_CHECKING:
    from types import ModuleType

COMMANDS: tuple[ModuleType, ...] = (
    workspace,
    people,
    leads,
    cases,
    exclusions,
    terms,
    run,
    crawl,
    evidence,
    checks,
    worker,
    records,
    hosting,
    notices,
    ledger,
    demo,
)
"""Each has `register(root)`, which adds its commands; a new noun is one more module here."""

INTERRUPTED = 130
BUG = 70
"""Exit status of an unforeseen error (sysexits.h, EX_SOFTWARE); none of the documented ones."""


class Desk(TyperGroup):
    """The group of all commands: every error ends as one sentence and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; translate what goes wrong.

        Raises:
            Exit: With the status of the error.

        """
        try:
            return super().invoke(ctx)
        except CaseError as error:
            _output(ctx).error(error.kind, error.message, error.hint)
            raise typer.Exit(error.exit_status) from None
        except KeyboardInterrupt:
            _output(ctx).error(
                "interrupted", "Interrupted.", "What was recorded stays; run the command again to go on."
            )
            raise typer.Exit(INTERRUPTED) from None
        except typer.TyperException as error:
            _usage_as_json(ctx, error)
            raise
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:  # the outermost door: nothing may leave with values in it
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise
            sys.stderr.write(bug_report(error) + "\n")
            hint = "Please report the lines above; they hold no addresses."
            _output(ctx).error("bug", "Leadline failed in a way that nobody foresaw.", hint)
            raise typer.Exit(BUG) from None


def global_options(
    context: typer.Context,
    workspace_folder: str = typer.Option(
        "workspace",
        "--workspace",
        envvar="LEADLINE_WORKSPACE",
        metavar="DIR",
        help="Folder of the workspace.",
        show_default="./workspace",
    ),
    user: str = typer.Option(
        "", "--user", envvar="LEADLINE_USER", metavar="NAME", help="Who acts.", show_default=False
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object a line."),
    verbose: int = typer.Option(
        0, "-v", "--verbose", count=True, help="Tell more on standard error; -vv more."
    ),
    quiet: bool = typer.Option(False, "--quiet", help="Print results and errors only."),
    version: bool = typer.Option(False, "--version", help="Print the version.", is_eager=True),
) -> None:
    """Follow confirmed reports over text-only pages: evidence as hashes, host, notice, removal."""
    out = Output(json=as_json, quiet=quiet)
    if version:
        from importlib.metadata import version as version_of

        number = version_of("leadline")
        typer.echo(json_line({"version": number}) if as_json else f"leadline {number}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)
    start_logging({0: logging.WARNING, 1: logging.INFO}.get(verbose, logging.DEBUG))
    context.obj = Call(folder=Path(workspace_folder).absolute(), user=user or None, out=out)


def build() -> typer.Typer:
    """Return the whole command line."""
    root = typer.Typer(
        cls=Desk,
        add_completion=False,
        invoke_without_command=True,
        pretty_exceptions_enable=False,
        pretty_exceptions_show_locals=False,
        rich_markup_mode=None,
        epilog="Example: leadline --workspace ./workspace leads list",
    )
    root.callback()(global_options)
    for module in COMMANDS:
        module.register(root)
    return root


app = build()


def main() -> None:
    """Run `leadline` with the arguments of this process."""
    harden_process()
    app(prog_name="leadline")


def _output(context: Any) -> Output:
    return (
        context.obj.out if isinstance(context.obj, Call) else Output(json=bool(context.params.get("as_json")))
    )


def _usage_as_json(context: Any, error: typer.TyperException) -> None:
    """Print wrong usage as an object too; Typer writes the sentence itself."""
    out = _output(context)
    if out.json:
        out.row({"error": {"kind": "usage", "message": error.format_message(), "hint": "See --help."}})


if __name__ == "__main__":
    main()
