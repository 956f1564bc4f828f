"""The ledger as a folder that a stranger can check: written from the case log, and checked without it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from caselog import merkle
from caselog.commitments import field_salt, plain_value
from caselog.errors import ConfigError, IntakeError, TamperedError
from caselog.leaves import Verified, head, sound_leaves
from caselog.plans import PLANS, Form, canonical_json, moment_text
from caselog.records.pages import Evidence
from caselog.schema import ENTRY_LENGTH
from caselog.store import entries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from caselog.leaves import Head
    from caselog.store.log import Reader

LOG, HEAD, OPENED, PROGRAM, SUMS = "log.jsonl", "head.json", "opened.json", "verify.py", "SHA256SUMS"
_REQUIRED = (HEAD, LOG, PROGRAM)
_GREATEST_FILE = 16 * 1024 * 1024
_FORM_VERSION = 1


def export(reader: Reader, folder: Path, *, open_evidence: int | None = None) -> Head:
    """Write the sealed part of the ledger to `folder` with a program that checks it, and return its head.

    Args:
        reader: An open reader.
        folder: Made when missing; an earlier export in it is replaced.
        open_evidence: Number of an Evidence record whose fields are to be opened: all that are neither
            sealed nor made with a key of ours.

    Raises:
        ConfigError: Nothing is sealed yet, or the folder cannot be written.
        IntakeError: The Evidence record does not exist, is not sealed yet, or was purged.
        TamperedError: The ledger is not in order.
    """
    now = head(reader)
    if not now.size:
        raise ConfigError(
            "The ledger holds no sealed record yet.", "Any command that adds a record seals all."
        )
    opened = None if open_evidence is None else _opened(reader, open_evidence)
    try:
        _write_all(reader, folder, now, opened)
    except OSError as error:
        raise ConfigError(
            f"The export cannot be written: {error.strerror}.", "Look at the folder's rights and space."
        ) from error
    return now


def verify_export(folder: Path, *, roots: Mapping[int, str] | None = None) -> Verified:
    """Check an exported ledger without the case log; any changed bit in any of its files is found.

    Args:
        folder: What `export` wrote.
        roots: Roots (hexadecimal) by size that somebody else holds.

    Raises:
        TamperedError: A file was changed, or a root does not match.
        ConfigError: The folder is missing or empty, or lacks a file.
    """
    try:
        _refuse_missing(folder)
        present = _present(folder)
        if _read(folder, SUMS) != _sums(folder, present):
            raise _changed("A file does not match SHA256SUMS")
        return _verify_content(folder, present, roots or {})
    except OSError as error:
        raise ConfigError(f"The export cannot be read: {error.strerror}.", "Look at its rights.") from error


def _write_all(reader: Reader, folder: Path, now: Head, opened: dict[str, Any] | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in (SUMS, OPENED):
        (folder / name).unlink(missing_ok=True)
    tree = merkle.Tree()
    with (folder / LOG).open("wb") as file:
        for leaf in sound_leaves(reader):
            tree.append(leaf.hash)
            file.write(f"{leaf.body}\n".encode("ascii"))
    if (tree.size, tree.root().hex()) != (now.size, now.root):
        raise TamperedError(
            "The leaves do not have the root of the stored head.", "Run leadline ledger verify."
        )
    at = moment_text(now.at) if now.at else None
    plain = {"at": at, "root": now.root, "size": now.size, "unsealed": now.unsealed, "v": _FORM_VERSION}
    (folder / HEAD).write_bytes(_line(plain))
    if opened is not None:
        (folder / OPENED).write_bytes(_line(opened))
    (folder / PROGRAM).write_bytes(Path(__file__).with_name("verify_alone.py").read_bytes())
    (folder / SUMS).write_bytes(_sums(folder, _present(folder)))


def _opened(reader: Reader, number: int) -> dict[str, Any]:
    plan = PLANS[Evidence]
    rows = reader.kept_after(plan, number - 1, 1)
    if not rows or rows[0].id != number:
        raise IntakeError(f"There is no evidence {number}.", "List what there is: leadline evidence list.")
    entry = entries.entries_between(reader, plan.name, number - 1, number).get(number)
    if entry is None or entry.leaf_index is None:
        raise IntakeError(
            f"Evidence {number} is not sealed yet.", "Any command that adds a record seals all."
        )
    if entry.seed is None:
        raise IntakeError(f"Evidence {number} was purged.", "Its fields can no longer be opened.")
    fields = {
        field.name: {
            "salt": field_salt(entry.seed, field.name).hex(),
            "value": plain_value(field, rows[0].kept[field.name]),
        }
        for field in plan.fields
        # Keyed tags prove nothing to a stranger and must not leave the house.
        if not field.sealed and field.form is not Form.OCTETS
    }
    place = {"id": number, "kind": plan.name, "leaf_index": entry.leaf_index}
    return {**place, "fields": fields, "v": _FORM_VERSION}


def _verify_content(folder: Path, present: tuple[str, ...], roots: Mapping[int, str]) -> Verified:
    stated = _head(_canonical(_read(folder, HEAD), HEAD))
    opened = _canonical(_read(folder, OPENED), OPENED) if OPENED in present else None
    tree, leaf = merkle.Tree(), None
    with (folder / LOG).open("rb") as file:
        for line in _lines(file):
            if opened and opened.get("leaf_index") == tree.size:
                leaf = _canonical(line, LOG)
            _canonical(line, LOG)
            tree.append(merkle.leaf_hash(line[:-1]))
            if tree.size in roots and roots[tree.size].lower() != tree.root().hex():
                raise _changed(f"The first {tree.size} leaves do not have their known root")
    if (tree.size, tree.root().hex()) != (stated.size, stated.root):
        raise _changed("The log does not have the root in head.json")
    anchored = max(roots, default=0)
    if anchored > tree.size:
        raise _changed(f"The log ends before leaf {anchored}")
    if opened:
        _verify_opened(opened, leaf)
    return Verified(
        size=tree.size,
        root=stated.root,
        at=stated.at,
        records=0,
        unsealed=stated.unsealed,
        purged=0,
        anchored=anchored,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _StatedHead:
    size: int
    root: str
    at: datetime | None
    unsealed: int


def _head(plain: dict[str, Any]) -> _StatedHead:
    try:
        numbers = (plain["size"], plain["unsealed"])
        at = datetime.fromisoformat(plain["at"]) if plain["at"] is not None else None
        stated = _StatedHead(size=numbers[0], root=str(plain["root"]), at=at, unsealed=numbers[1])
    except (KeyError, TypeError, ValueError):
        raise _changed("head.json has the wrong form") from None
    if any(type(number) is not int for number in numbers):
        raise _changed("head.json has the wrong form")
    return stated


def _verify_opened(opened: dict[str, Any], leaf: dict[str, Any] | None) -> None:
    if leaf is None or (opened.get("kind"), opened.get("id")) != (leaf.get("kind"), leaf.get("id")):
        raise _changed("opened.json does not belong to its leaf")
    try:
        wrong = [
            name for name, field in opened["fields"].items() if leaf["fields"][name] != _committed(field)
        ]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise _changed("opened.json has the wrong form") from None
    if wrong:
        raise _changed("A field in opened.json does not match its leaf")


def _committed(field: dict[str, Any]) -> str:
    return hashlib.sha256(bytes.fromhex(field["salt"]) + canonical_json(field["value"]).encode()).hexdigest()


def _lines(file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline(ENTRY_LENGTH + 2):
        if not line.endswith(b"\n"):
            raise _changed("A line of log.jsonl is cut")
        yield line


def _canonical(raw: bytes, name: str) -> dict[str, Any]:
    try:
        plain = json.loads(raw)
        is_sound = isinstance(plain, dict) and _line(plain) == raw
    except (ValueError, RecursionError):
        plain, is_sound = {}, False
    if not is_sound:
        raise _changed(f"{name} is not in canonical form")
    return dict(plain)


def _line(plain: dict[str, Any]) -> bytes:
    return canonical_json(plain).encode("ascii") + b"\n"


def _refuse_missing(folder: Path) -> None:
    if not folder.is_dir() or not any(folder.iterdir()):
        raise ConfigError("The folder of the export is missing or empty.", "Name a folder of ledger export.")
    for name in (*_REQUIRED, SUMS):
        if not (folder / name).is_file():
            raise ConfigError(f"The export is incomplete or empty: {name} is missing.", "Export it again.")


def _present(folder: Path) -> tuple[str, ...]:
    names = (*_REQUIRED, OPENED) if (folder / OPENED).exists() else _REQUIRED
    return tuple(sorted(names))


def _sums(folder: Path, names: tuple[str, ...]) -> bytes:
    lines = []
    for name in names:
        with (folder / name).open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {name}\n")
    return "".join(lines).encode("ascii")


def _read(folder: Path, name: str) -> bytes:
    with (folder / name).open("rb") as file:
        return file.read(_GREATEST_FILE)


def _changed(what: str) -> TamperedError:
    return TamperedError(f"{what}.", "Do not rely on this export; ask for it again.")
