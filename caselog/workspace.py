"""A workspace: one folder with the settings, the keys, the database, and its permanent mark."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from caselog.config import Config, load_config
from caselog.errors import ConfigError, RefusedError
from caselog.store.log import CaseLog, create_case_log, open_case_log
from caselog.store.revision import is_older
from caselog.vault import Keys

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY_FILE = "keys.json"
SETTINGS_FILE = "leadline.toml"
JOBS_FILE = "jobs.db"
PRACTICE = "practice"
LIVE = "live"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """An opened workspace."""

    folder: Path
    config: Config
    keys: Keys
    log: CaseLog
    practice: bool

    def config_sha256(self) -> str:
        """Return a digest of all settings, for records; secrets are left out."""
        plain = self.config.model_dump(mode="json", exclude={"mail": {"imap_password", "imap_user"}})
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()

    def database_url(self) -> str:
        """Return the address of the case log's database, with its password."""
        return _database_url(self.folder, self.config)

    def jobs_url(self) -> str:
        """Return the address of the database that holds the durable jobs."""
        url = make_url(self.database_url())
        if url.get_backend_name() == "sqlite":
            url = url.set(database=str(self.folder / JOBS_FILE))
        return url.render_as_string(hide_password=False)

    def is_shared(self) -> bool:
        """Tell whether workers on several machines may share the workspace's database."""
        return make_url(self.database_url()).get_backend_name() != "sqlite"

    def require_authority(self) -> None:
        """Refuse a live request before the workspace says under whose authority it acts.

        Raises:
            RefusedError: A required `[authority]` setting is empty in a live workspace.
        """
        missing = self.config.authority.missing()
        if missing and not self.practice:
            names = ", ".join(f"authority.{name}" for name in missing)
            raise RefusedError(
                f"This live workspace does not say yet: {names}.",
                "Fill them in leadline.toml.",
                code="authority",
            )

    @contextmanager
    def alone(self, work: str) -> Iterator[None]:
        """Hold the workspace's lock for one kind of work, such as `crawl`.

        Raises:
            RefusedError: Another process of this machine holds it.
        """
        path = self.folder / f"{work}.lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise RefusedError(
                f"Another process runs a {work} in this workspace.",
                "Wait until it has ended, or stop it.",
                code="busy",
            ) from None
        try:
            yield
        finally:
            os.close(descriptor)


def create_workspace(folder: Path, *, practice: bool, database: str | None = None) -> Workspace:
    """Make a new workspace in `folder` and return it opened.

    Raises:
        ConfigError: There is one already, or the folder or database cannot be made.
    """
    if (folder / KEY_FILE).exists():
        raise ConfigError("There is a workspace in this folder already.", "Choose another with --workspace.")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (folder / SETTINGS_FILE).exists():
            _write_private(folder / SETTINGS_FILE, _settings_text(practice=practice, database=database))
    except OSError as error:
        raise ConfigError(
            f"The workspace folder cannot be made: {error.strerror}.", "Choose another folder."
        ) from error
    config = load_config(folder)
    keys = Keys.create(folder / KEY_FILE)
    log = create_case_log(_database_url(folder, config), keys)
    with log.write() as writer:
        writer.set_fact("mode", PRACTICE if practice else LIVE)
    return Workspace(folder=folder, config=config, keys=keys, log=log, practice=practice)


def is_workspace(folder: Path) -> bool:
    """Tell whether there is a workspace in `folder`."""
    return (folder / KEY_FILE).exists()


def upgrade_workspace(folder: Path) -> bool:
    """Bring the case log of a workspace up to date; False when it is.

    Raises:
        ConfigError: The database is missing, or belongs to a newer version.
        OutageError: It cannot be reached.
    """
    config, keys = load_config(folder), Keys.load(folder / KEY_FILE)
    url = _database_url(folder, config)
    is_old = is_older(url)
    if is_old:
        create_case_log(url, keys).close()
    return is_old


def open_workspace(folder: Path) -> Workspace:
    """Open the workspace in `folder`.

    Raises:
        ConfigError: There is none, or a part of it is missing or wrong; says which.
    """
    if not (folder / KEY_FILE).exists() and not (folder / SETTINGS_FILE).exists():
        raise ConfigError("There is no workspace in this folder.", "Make one: leadline init --practice.")
    config = load_config(folder)
    keys = Keys.load(folder / KEY_FILE)
    log = open_case_log(_database_url(folder, config), keys)
    with log.read() as reader:
        mode = reader.fact("mode")
    return Workspace(folder=folder, config=config, keys=keys, log=log, practice=mode == PRACTICE)


def _database_url(folder: Path, config: Config) -> str:
    try:
        url = make_url(config.database.url)
    except ArgumentError:
        raise ConfigError(
            "The setting database.url is not a database address.", "Example: sqlite:///casebook.db"
        ) from None
    if url.get_backend_name() == "sqlite" and url.database and not url.database.startswith("/"):
        url = url.set(database=str((folder / url.database).resolve()))
    return url.render_as_string(hide_password=False)


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _settings_text(*, practice: bool, database: str | None) -> str:
    kind = "practice" if practice else "live"
    lines = [
        f"# Settings of this {kind} workspace; docs/reference/settings.md names them all.",
        "# Each can be set from outside too: LEADLINE_<SECTION>__<KEY>.",
        "",
        "[authority]",
        'organisation = ""',
        'country = ""        # ISO 3166-1 alpha-2',
        'contact = ""        # role mailbox',
        'legal_basis = ""',
        'profile = "eu-dsa"  # eu-dsa | uk | us | generic',
    ]
    if database:
        lines += ["", "[database]", f"url = {json.dumps(database)}"]
    return "\n".join(lines) + "\n"
