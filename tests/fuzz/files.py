"""What must hold for files and messages: each line is a row or a bad row, each message a page or an error."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

from crawler.reading.normalise import stream
from crawler.reading.page import read_page
from crawler.sandbox.wire import page_message, page_of
from desk.intake import read_rows
from desk.intake_formats import BadRow, read_csv, read_jsonl
from desk.lead_row import check_row
from desk.terms_file import COLUMNS, check_terms

NOW = datetime(2026, 5, 4, tzinfo=UTC)
FORMS = ("csv", "jsonl", "txt")


class LostLineError(AssertionError):
    """A line of the file is neither good nor bad."""


def lead_files(data: bytes) -> None:
    """Any file gives good and bad rows in the order of its lines, and nothing else."""
    form = FORMS[data[0] % 3] if data else "txt"
    last = 0
    for row in read_rows(io.BytesIO(data[1:]), form, "bakery"):
        if row.line < last:
            raise LostLineError
        last = row.line
        if not isinstance(row, BadRow):
            check_row(row, now=NOW, practice=bool(data[0] & 4))


def term_files(data: bytes) -> None:
    """Any terms file gives terms that can match, and bad rows."""
    read = read_csv if not data or data[0] % 2 else read_jsonl
    for term in check_terms(read(io.BytesIO(data[1:]), COLUMNS), stream):
        if not isinstance(term, BadRow) and not stream(term.term):
            raise LostLineError


def messages(data: bytes) -> None:
    """A message from the process that parses is a page, or one of three errors; a page survives the way."""
    text = data.decode("utf-8", "replace")
    try:
        page_of(json.loads(text))
    except (ValueError, KeyError, TypeError, RecursionError):
        page = read_page(text[:2000], "http://bread.example/", "text/plain")
        if page_of(json.loads(json.dumps(page_message(page)))) != page:
            raise LostLineError from None
