"""The edge where documents become files: a private folder, whole files only, nothing overwritten."""

from __future__ import annotations

import os
import re
import secrets
import stat
from itertools import chain, count
from typing import TYPE_CHECKING

from caselog.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from exports.documents import Document

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,60}\.[a-z]{2,5}\Z")


def write_documents(folder: Path, documents: Iterable[Document]) -> tuple[Path, ...]:
    """Write the documents into `folder` (mode 0700) as files of mode 0600, and return their paths.

    A file with the same content stays as it is; beside one with other content comes `name-r2`, and so on.

    Raises:
        ConfigError: The folder cannot be made or written, others can read it, or a name is not neutral.
    """
    try:
        _prepare(folder)
        return tuple(_write(folder, document) for document in documents)
    except OSError as error:
        raise ConfigError(
            f"The export folder cannot be written: {os.strerror(error.errno or 0)}.", "Choose another folder."
        ) from None


def _prepare(folder: Path) -> None:
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True)
    if not folder.is_dir():
        raise ConfigError("The place for the export is not a folder.", "Choose another folder.")
    if not stat.S_IMODE(folder.stat().st_mode) & 0o077:
        return
    if any(folder.iterdir()):
        raise ConfigError(
            "Others may read the export folder, and it holds other files already.",
            "Choose a new folder, or make this one private with chmod 700.",
        )
    folder.chmod(0o700)


def _write(folder: Path, document: Document) -> Path:
    if not _NAME.match(document.name):
        raise ConfigError("A document's name is not neutral.", "Render the notice again.")
    path = _free_path(folder, document)
    if not path.exists():
        _write_whole(path, document.content)
    return path


def _free_path(folder: Path, document: Document) -> Path:
    """Return where the content is already, or the first name that is free."""
    first = folder / document.name
    later = (first.with_stem(f"{first.stem}-r{revision}") for revision in count(2))
    return next(path for path in chain([first], later) if _is_free(path, document.content))


def _is_free(path: Path, content: bytes) -> bool:
    if not os.path.lexists(path):
        return True
    return stat.S_ISREG(path.lstat().st_mode) and path.read_bytes() == content


def _write_whole(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{secrets.token_hex(8)}.part")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
