"""`demo`: the practice web and the whole chain on it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from desk.call import call_of

if TYPE_CHECKING:
    from desk.practice.demo import Demo


def register(root: typer.Typer) -> None:
    """Add this command to the command line."""
    root.command("demo", epilog="Example: leadline demo --keep")(demo)


def demo(
    context: typer.Context,
    keep: bool = typer.Option(False, "--keep", help="Leave the practice web and its workspace open."),
    no_browser: bool = typer.Option(False, "--no-browser", help="Open no browser (none is opened yet)."),
) -> None:
    """Run the whole chain on a small web about sourdough, on loopback, in about a minute."""
    from desk.practice.demo import run_demo

    del no_browser
    call = call_of(context)
    say = (lambda _: None) if call.out.json or call.out.quiet else typer.echo
    if keep:
        folder = tempfile.mkdtemp(prefix="leadline-demo-")
        call.out.summary(**run_demo(Path(folder), say, wait=_wait))
        typer.echo(f"The workspace stays in {folder}", err=True)
        return
    with tempfile.TemporaryDirectory(prefix="leadline-demo-") as folder:
        call.out.summary(**run_demo(Path(folder), say))


def _wait(demo: Demo) -> None:
    typer.echo("\nThe practice web stays open. In another shell:")
    typer.echo(f"  export LEADLINE_WORKSPACE={demo.workspace} LEADLINE_USER=ada")
    typer.echo("  leadline leads list")
    typer.prompt("Press Enter here to end", default="", show_default=False)
