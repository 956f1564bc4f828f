"""Name the hotline or CERT of a country, from the operator's own table only."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from caselog.errors import ConfigError
from enrich.ranges import country_code

if TYPE_CHECKING:
    from pathlib import Path


def read_national(path: Path) -> dict[str, str]:
    """Return country code to hotline from a CSV of `country,hotline`; `#` starts a comment.

    Raises:
        ConfigError: The file cannot be read, or holds no row of that form.

    """
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("The national table cannot be read.", "Check [enrich] national.") from error
    rows = (row for row in csv.reader(lines) if len(row) >= 2)
    table = {code: row[1].strip()[:120] for row in rows if (code := country_code(row[0].strip()))}
    if not table:
        raise ConfigError(
            "The national table has no row of the form country,hotline.", "Check [enrich] national."
        )
    return table
