"""Check an exported ledger by itself: needs Python 3.8 or later, and nothing else.

Usage: python3 verify.py [FOLDER] [--root SIZE:HEX]

FOLDER holds log.jsonl, head.json, SHA256SUMS and this file; the default is the folder of this file. With
--root, the first SIZE leaves must have the root HEX, such as a notice prints. The log is a Merkle tree
after RFC 9162, section 2.1: each line of log.jsonl is one leaf, and holds for each field of a record
SHA-256(salt + canonical JSON of the value). opened.json, if there is one, opens fields of one record: it
gives their salts and values.

Ends with 0 when everything matches, 5 when something was changed, 2 when there is nothing to check.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

LOG, HEAD, OPENED, SUMS = "log.jsonl", "head.json", "opened.json", "SHA256SUMS"
REQUIRED = (HEAD, LOG, "verify.py")
GREATEST_LINE = 65536


class ChangedError(Exception):
    """Something does not match."""


class NothingError(Exception):
    """There is nothing to check."""


def canonical(value: Any) -> str:
    """Return the one JSON text that we accept for a value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def read_canonical(raw: bytes, name: str) -> dict[str, Any]:
    """Return the JSON object in `raw`, which must be in canonical form."""
    try:
        value = json.loads(raw.decode("ascii"))
        sound = isinstance(value, dict) and canonical(value).encode("ascii") == raw
    except (ValueError, RecursionError):
        value, sound = {}, False
    if not sound:
        raise ChangedError(f"{name} is not in canonical form.")
    return dict(value)


def file_sums(folder: Path, names: list[str]) -> bytes:
    """Return the text that SHA256SUMS must hold."""
    lines = []
    for name in names:
        digest = hashlib.sha256()
        with (folder / name).open("rb") as file:
            for piece in iter(lambda: file.read(65536), b""):
                digest.update(piece)
        lines.append(f"{digest.hexdigest()}  {name}\n")
    return "".join(lines).encode("ascii")


def read(folder: Path, name: str) -> bytes:
    """Return the content of a small file."""
    with (folder / name).open("rb") as file:
        return file.read(16 * 1024 * 1024)


def add_leaf(peaks: list[bytes], size: int, leaf: bytes) -> None:
    """Add one leaf to the roots of the complete subtrees."""
    while size & 1:
        leaf = hashlib.sha256(b"\x01" + peaks.pop() + leaf).digest()
        size >>= 1
    peaks.append(leaf)


def root_of(peaks: list[bytes]) -> str:
    """Return the root over all leaves so far, in hexadecimal."""
    joined = peaks[-1]
    for peak in reversed(peaks[:-1]):
        joined = hashlib.sha256(b"\x01" + peak + joined).digest()
    return joined.hex()


def check_log(folder: Path, roots: dict[int, str], wanted: Any) -> tuple[int, str, dict[str, Any] | None]:
    """Return the size and root of the log, and the leaf number `wanted`."""
    peaks: list[bytes] = []
    size, found = 0, None
    with (folder / LOG).open("rb") as file:
        for line in iter(lambda: file.readline(GREATEST_LINE), b""):
            if not line.endswith(b"\n"):
                raise ChangedError(f"Line {size + 1} of {LOG} is cut.")
            leaf = read_canonical(line[:-1], f"Line {size + 1} of {LOG}")
            found = leaf if size == wanted else found
            add_leaf(peaks, size, hashlib.sha256(b"\x00" + line[:-1]).digest())
            size += 1
            if size in roots and roots[size].lower() != root_of(peaks):
                raise ChangedError(f"The first {size} leaves do not have the root that you gave.")
    if not size:
        raise ChangedError(f"{LOG} is empty.")
    if max(roots, default=0) > size:
        raise ChangedError(f"The log ends before leaf {max(roots)}.")
    return size, root_of(peaks), found


def check_opened(opened: dict[str, Any], leaf: dict[str, Any] | None) -> None:
    """Check the opened fields against the commitments in their leaf."""
    if leaf is None or (opened.get("kind"), opened.get("id")) != (leaf.get("kind"), leaf.get("id")):
        raise ChangedError(f"{OPENED} does not belong to its leaf.")
    for name, field in opened["fields"].items():
        committed = hashlib.sha256(bytes.fromhex(field["salt"]) + canonical(field["value"]).encode("ascii"))
        if leaf["fields"].get(name) != committed.hexdigest():
            raise ChangedError(f"The field {name} in {OPENED} does not match its leaf.")


def check(folder: Path, roots: dict[int, str]) -> str:
    """Check a folder; return what to say when everything matches."""
    names = [name for name in (*REQUIRED, SUMS) if not (folder / name).is_file()]
    if names:
        raise NothingError(f"There is nothing to check: {names[0]} is missing.")
    has_opened = (folder / OPENED).is_file()
    present = sorted((*REQUIRED, OPENED) if has_opened else REQUIRED)
    if read(folder, SUMS) != file_sums(folder, present):
        raise ChangedError(f"A file does not match {SUMS}.")
    head = read_canonical(read(folder, HEAD)[:-1], HEAD)
    opened = read_canonical(read(folder, OPENED)[:-1], OPENED) if has_opened else None
    size, root, leaf = check_log(folder, roots, opened.get("leaf_index") if opened else None)
    if (head.get("size"), head.get("root")) != (size, root) or type(head["size"]) is not int:
        raise ChangedError(f"The log does not have the root in {HEAD}.")
    if opened:
        check_opened(opened, leaf)
    rest = f"anchored to leaf {max(roots, default=0)}, the rest rests on the operator's word"
    return f"{size} leaves match root {root}; {rest}.\n"


def main(arguments: list[str]) -> int:
    """Check what the command line names; return the exit status."""
    folder = Path(__file__).resolve().parent
    roots: dict[int, str] = {}
    try:
        while arguments:
            word = arguments.pop(0)
            if word == "--root":
                size, _, root = arguments.pop(0).partition(":")
                roots[int(size)] = root
            else:
                folder = Path(word)
        sys.stdout.write(check(folder, roots))
    except ChangedError as error:
        sys.stderr.write(f"TAMPERED: {error}\n")
        return 5
    except (KeyError, TypeError, AttributeError) as error:
        sys.stderr.write(f"TAMPERED: a file has the wrong form ({type(error).__name__}).\n")
        return 5
    except (NothingError, OSError, ValueError, IndexError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
