"""`evidence compare`: score texts and pages against what was recorded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from desk.call import call_of

if TYPE_CHECKING:
    from caselog.workspace import Workspace
    from crawler.compare import Likeness
    from crawler.transport.pace import Pace

MOST_MATCHES = 10
MOST_BYTES = 8_388_608


def compare(
    context: typer.Context,
    inputs: list[str] = typer.Argument(
        metavar="FILE|URL...", help="Text files, or pages of confirmed sites."
    ),
) -> None:
    """Score texts, or pages of confirmed sites, against the stored fingerprints; nothing of them is kept."""
    from caselog.errors import CaseError
    from crawler.reading.defanged import defang
    from crawler.single import pace_of
    from desk.access import Act

    call, failed = call_of(context), 0
    with call.acting(Act.EVIDENCE) as (workspace, _):
        pace = pace_of(workspace)
        for name in inputs:
            is_url = "://" in name
            try:
                found = _scored(workspace, name, pace, is_url=is_url)
            except CaseError as error:
                call.out.item_error(error)
                failed += 1
                continue
            call.out.row(_row(defang(name) if is_url else Path(name).name, found))
    if failed:
        raise typer.Exit(1)


def _scored(workspace: Workspace, name: str, pace: Pace, *, is_url: bool) -> list[Likeness]:
    from crawler.compare import compare, read_blocks
    from crawler.reading.address import canonical_url
    from crawler.single import fetch_text

    if is_url:
        url = canonical_url(name)
        text, media_type = fetch_text(workspace, url, pace)
    else:
        url, text = "http://file.invalid/", _read(Path(name))
        media_type = (
            "text/html" if "<" in text[:2000] and name.lower().endswith((".html", ".htm")) else "text/plain"
        )
    blocks = read_blocks(text, url, media_type)
    with workspace.log.read() as reader:
        return compare(reader, workspace.keys, blocks)


def _read(path: Path) -> str:
    from caselog.errors import IntakeError

    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES)
    except OSError as error:
        raise IntakeError(
            f"A file cannot be read: {error.strerror}.", "Look at its name and rights."
        ) from error
    return raw.decode("utf-8", "replace")


def _row(name: str, found: list[Likeness]) -> dict[str, Any]:
    best = found[0] if found else None
    return {
        "input": name,
        "level": next((one.level for one in found if one.level), None),
        "best": best.evidence_id if best else None,
        "matches": [
            {
                "evidence_id": one.evidence_id,
                "m": one.m,
                "k": one.k,
                "level": one.level,
                "blocks_shared": one.blocks_shared,
            }
            for one in found[:MOST_MATCHES]
        ],
    }
