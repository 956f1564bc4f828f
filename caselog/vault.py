"""Keys, sealing and equality tags: what keeps addresses unreadable to whoever holds the database alone.

The key file lies outside the database. Its master key wraps one data key for each lead, so that
destroying a lead's data key destroys its addresses; tags (HMAC-SHA-256) find equal values without
opening any.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import stat
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from caselog.errors import ConfigError, TamperedError

if TYPE_CHECKING:
    from pathlib import Path

KEY_BYTES = 32
NONCE_BYTES = 12
KEY_FILE_VERSION = 1
PURGED = "[purged]"
"""Stands in place of a sealed text whose data key was destroyed."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Keys:
    """The secrets of a workspace, from its key file; never printed."""

    masters: tuple[bytes, ...]
    """Wrap the data keys, newest last; there are two only while a rotation is under way."""
    tag_key: bytes
    """Makes equality tags; not touched by rotation."""
    derive_key: bytes
    """Makes salts and other secrets that must be the same again."""
    signing_seed: bytes
    """Seed of the Ed25519 key that signs checkpoints."""
    fingerprint_keys: tuple[tuple[int, bytes], ...]
    """Each epoch's number and secret, newest last; old ones stay, because text is not kept."""
    path: Path | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        return f"Keys(epochs={len(self.fingerprint_keys)})"

    @classmethod
    def fresh(cls) -> Keys:
        """Return new random keys that lie in no file."""
        return cls(
            masters=(os.urandom(KEY_BYTES),),
            tag_key=os.urandom(KEY_BYTES),
            derive_key=os.urandom(KEY_BYTES),
            signing_seed=os.urandom(KEY_BYTES),
            fingerprint_keys=((1, os.urandom(KEY_BYTES)),),
        )

    @classmethod
    def create(cls, path: Path) -> Keys:
        """Return new keys and write them to a new file at `path`, readable by its owner only.

        Raises:
            ConfigError: The file exists already or cannot be written.
        """
        keys = replace(cls.fresh(), path=path)
        try:
            _write_private(path, keys.as_json())
        except FileExistsError:
            raise ConfigError(
                "There is a key file already.", "It is never overwritten; move it away."
            ) from None
        except OSError as error:
            raise ConfigError(
                f"The key file cannot be written: {error.strerror}.", "Look at the folder's rights."
            ) from error
        return keys

    @classmethod
    def load(cls, path: Path) -> Keys:
        """Return the keys from the file at `path`.

        Raises:
            ConfigError: It is missing, unreadable, malformed, or others than its owner may read it.
        """
        try:
            return replace(_parse(json.loads(_read_private(path))), path=path)
        except FileNotFoundError:
            raise ConfigError(
                "The key file is missing.", "Restore it from your backup of the keys."
            ) from None
        except OSError as error:
            raise ConfigError(
                f"The key file cannot be read: {error.strerror}.", "Look at its owner and mode."
            ) from error
        except (ValueError, KeyError, TypeError):
            raise ConfigError(
                "The key file is damaged.", "Restore it from your backup of the keys."
            ) from None

    def as_json(self) -> str:
        """Return the content of the key file."""
        plain = {
            "version": KEY_FILE_VERSION,
            "masters": [key.hex() for key in self.masters],
            "tag": self.tag_key.hex(),
            "derive": self.derive_key.hex(),
            "signing": self.signing_seed.hex(),
            "fingerprints": [{"epoch": n, "secret": key.hex()} for n, key in self.fingerprint_keys],
        }
        return json.dumps(plain, indent=1) + "\n"

    def with_new_master(self) -> Keys:
        """Return the same keys and a new master key; data keys must then be wrapped anew."""
        return replace(self, masters=(*self.masters, os.urandom(KEY_BYTES)))

    def with_newest_master_only(self) -> Keys:
        """Return the keys without the masters that a finished rotation left behind."""
        return replace(self, masters=self.masters[-1:])

    def with_new_epoch(self) -> Keys:
        """Return the same keys and a new epoch of fingerprints; older epochs stay."""
        newest = self.fingerprint_keys[-1][0]
        return replace(self, fingerprint_keys=(*self.fingerprint_keys, (newest + 1, os.urandom(KEY_BYTES))))

    def save(self, path: Path) -> None:
        """Replace the key file at `path` in one step.

        Raises:
            ConfigError: It cannot be written; the old file then stands unchanged.
        """
        draft = path.with_name(path.name + ".new")
        try:
            draft.unlink(missing_ok=True)
            _write_private(draft, self.as_json())
            draft.replace(path)
        except OSError as error:
            raise ConfigError(
                f"The key file cannot be written: {error.strerror}.", "Look at the folder's rights."
            ) from error


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _read_private(path: Path) -> str:
    with path.open(encoding="ascii") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise ConfigError(
                f"The key file may be read by others (mode {mode:04o}).", "Run: chmod 600 on the key file."
            )
        return file.read()


def _secret(text: str) -> bytes:
    secret = bytes.fromhex(text)
    if len(secret) != KEY_BYTES:
        raise ValueError("a key has the wrong length")
    return secret


def _parse(plain: dict[str, Any]) -> Keys:
    if plain["version"] != KEY_FILE_VERSION or not plain["masters"] or not plain["fingerprints"]:
        raise ValueError("not a key file of this version")
    return Keys(
        masters=tuple(map(_secret, plain["masters"])),
        tag_key=_secret(plain["tag"]),
        derive_key=_secret(plain["derive"]),
        signing_seed=_secret(plain["signing"]),
        fingerprint_keys=tuple((int(row["epoch"]), _secret(row["secret"])) for row in plain["fingerprints"]),
    )


class Vault:
    """Seals and opens values under data keys, and makes equality tags.

    Data keys are unwrapped once in a process and kept in memory; `learn` hands them in, `forget` drops them.
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._masters = tuple(AESGCM(key) for key in keys.masters)
        self._tag_start = hmac.new(keys.tag_key, digestmod=hashlib.sha256)
        self._ciphers: dict[int, AESGCM] = {}

    def __repr__(self) -> str:
        return f"Vault(keys={len(self._ciphers)})"

    def tag(self, purpose: str, value: str | bytes) -> bytes:
        """Return the equality tag of `value` for one purpose (``url``, ``host``), 32 bytes."""
        state = self._tag_start.copy()
        state.update(purpose.encode() + b"\x00" + (value.encode() if isinstance(value, str) else value))
        return state.digest()

    def derived_salt(self, purpose: str, data: bytes) -> bytes:
        """Return 32 secret bytes that are the same for the same purpose and data, and kept nowhere."""
        return hmac.digest(self._keys.derive_key, purpose.encode() + b"\x00" + data, "sha256")

    def knows(self, key_id: int) -> bool:
        """Tell whether the data key is in memory."""
        return key_id in self._ciphers

    def new_data_key(self, key_id: int) -> bytes:
        """Make and keep the data key numbered `key_id`; return it wrapped by the newest master key."""
        secret = os.urandom(KEY_BYTES)
        self._ciphers[key_id] = AESGCM(secret)
        return self._wrap(key_id, secret)

    def learn(self, key_id: int, wrapped: bytes) -> None:
        """Unwrap a data key and keep it in memory.

        Raises:
            ConfigError: It was not wrapped by this key file.
        """
        self._ciphers[key_id] = AESGCM(self._unwrap(key_id, wrapped))

    def forget(self, key_id: int) -> None:
        """Drop a data key from memory."""
        self._ciphers.pop(key_id, None)

    def rewrap(self, key_id: int, wrapped: bytes) -> bytes:
        """Return the same data key wrapped by the newest master key.

        Raises:
            ConfigError: It was not wrapped by this key file.
        """
        return self._wrap(key_id, self._unwrap(key_id, wrapped))

    def seal(self, key_id: int, purpose: str, plain: bytes) -> bytes:
        """Return a nonce and `plain` in AES-256-GCM under a known data key, bound to its purpose."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._ciphers[key_id].encrypt(nonce, plain, _bound_to(purpose, key_id))

    def open(self, key_id: int, purpose: str, sealed: bytes) -> bytes:
        """Return what was sealed under a known data key for the same purpose.

        Raises:
            TamperedError: It was changed, or sealed under another key or for another purpose.
        """
        try:
            return self._ciphers[key_id].decrypt(
                sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _bound_to(purpose, key_id)
            )
        except (InvalidTag, ValueError):
            raise TamperedError(
                f"A sealed value under data key {key_id} was changed.", "Restore the database from a backup."
            ) from None

    def _wrap(self, key_id: int, secret: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._masters[-1].encrypt(nonce, secret, _bound_to("data-key", key_id))

    def _unwrap(self, key_id: int, wrapped: bytes) -> bytes:
        for master in reversed(self._masters):
            try:
                return master.decrypt(
                    wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _bound_to("data-key", key_id)
                )
            except (InvalidTag, ValueError):
                continue
        raise ConfigError(
            f"The key file does not open data key {key_id} of this database.",
            "Use the key file that belongs to this database.",
        )


def _bound_to(purpose: str, key_id: int) -> bytes:
    return b"leadline %s %d" % (purpose.encode(), key_id)
