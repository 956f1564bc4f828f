"""A notice in one format: the named documents that make it up.

Names are neutral: a notice's number, never a host.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from exports.letter import compose_mail
from exports.lines import lines_bytes
from exports.table import table_bytes
from exports.xarf_report import XarfRefusal, xarf_batch, xarf_bytes

if TYPE_CHECKING:
    from exports.redact import Cut


class Format(StrEnum):
    """What a notice can be rendered as."""

    MAIL = "mail"
    XARF = "xarf"
    CSV = "csv"
    JSONL = "jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One file of a notice."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """The files of a notice, and the items that the format could not take."""

    documents: tuple[Document, ...]
    refused: tuple[XarfRefusal, ...] = ()


def render(cut: Cut, form: Format) -> Rendering:
    """Return the notice as `form`.

    Raises:
        RefusedError: The audience may not have this format (`audience`), or the notice is unfit for mail.
        ConfigError: The template of the mail is broken.
    """
    name = f"notice-{cut.heading.number}"
    if form is Format.CSV:
        return _single(f"{name}.csv", table_bytes(cut))
    if form is Format.JSONL:
        return _single(f"{name}.jsonl", lines_bytes(cut))
    if form is Format.XARF:
        return _xarf(cut, name)
    message, refused = compose_mail(cut)
    return Rendering(documents=(Document(name=f"{name}.eml", content=message.as_bytes()),), refused=refused)


def _single(name: str, content: bytes) -> Rendering:
    return Rendering(documents=(Document(name=name, content=content),))


def _xarf(cut: Cut, name: str) -> Rendering:
    batch = xarf_batch(cut)
    places = {item.item_id: place for place, item in enumerate(cut.items, start=1)}
    documents = tuple(
        Document(name=f"{name}-xarf-{places[item_id]}.json", content=xarf_bytes(report))
        for item_id, report in batch.reports
    )
    return Rendering(documents=documents, refused=batch.refused)
