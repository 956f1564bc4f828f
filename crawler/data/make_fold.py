"""Make ``fold.tsv``: what each code point becomes after all steps of the normalisation.

Run with Python 3.11 (Unicode 14) and the path of an unpacked ``confusable_homoglyphs`` 3.3.1::

    python make_fold.py path/to/confusable_homoglyphs/confusables.json > fold.tsv

The file is frozen: a new table is a new version beside this one, never a change of it.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from pathlib import Path

LOOK_ALIKE = {"0": "o", "1": "l", "i": "l", "3": "e", "4": "a", "5": "s", "7": "t"}
DROPPED = {"Cf", "Cc", "Mn", "Me", "Mc"}
UNICODE_END = 0x110000


def confusable_table(path: str) -> dict[str, str]:
    """Give single look-alike characters with their one ASCII letter or digit, lower case.

    A capital whose small letter has no look-alike of its own lends it its prototype, because the table is
    applied after case folding.
    """
    listed = json.loads(Path(path).read_text(encoding="utf-8"))
    table: dict[str, str] = {}
    for char, entries in listed.items():
        if len(char) != 1 or char.isascii():
            continue
        found = [e["c"] for e in entries if len(e["c"]) == 1 and e["c"].isascii() and e["c"].isalnum()]
        if found:
            table[char] = found[0].lower()
    for char, prototype in sorted(table.items()):
        small = char.casefold()
        if len(small) == 1 and not small.isascii() and small not in table:
            table[small] = prototype
    return table


def folded(char: str, table: dict[str, str]) -> str:
    """Take one character through all steps; a sign that parts words becomes a space."""
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", char).casefold())
    out = []
    for part in text:
        category = unicodedata.category(part)
        if category in DROPPED and not part.isspace():
            continue
        mapped = table.get(part, part)
        mapped = LOOK_ALIKE.get(mapped, mapped)
        out.append(mapped if unicodedata.category(mapped)[0] in "LN" else " ")
    return "".join(out)


def rows(table: dict[str, str]) -> list[str]:
    """Give the table as lines: first and last code point in hex, and the result; ``=`` is itself."""
    lines: list[str] = []
    start, last_result = 0, ""
    results = [folded(chr(c), table) for c in range(UNICODE_END)]
    results = ["=" if r == chr(c) and r != " " else r for c, r in enumerate(results)]
    for code in range(UNICODE_END + 1):
        result = results[code] if code < UNICODE_END else "\0"
        if result != last_result or code == 0:
            if code and last_result != " ":
                lines.append(f"{start:x}\t{code - 1:x}\t{last_result}")
            start, last_result = code, result
    return lines


def main() -> None:
    """Write the table to standard output."""
    lines = rows(confusable_table(sys.argv[1]))
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
