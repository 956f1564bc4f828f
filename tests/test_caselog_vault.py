"""Keys stay in their file; sealed values open only under their key, for their purpose, unchanged."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caselog.errors import ConfigError, TamperedError
from caselog.vault import Keys, Vault

if TYPE_CHECKING:
    from pathlib import Path

KEYS = Keys.fresh()
PLAIN = b"https://bread.example/sourdough"


def opened_vault(keys: Keys = KEYS) -> Vault:
    vault = Vault(keys)
    vault.new_data_key(1)
    return vault


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o610, 0o601, 0o620])
def test_a_key_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys.json"
    Keys.create(path)
    path.chmod(mode)

    with pytest.raises(ConfigError, match="others"):
        Keys.load(path)


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", '{"version": 2}', "{\n", "\xff"])
def test_a_damaged_key_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content, encoding="latin-1")
    path.chmod(0o600)

    with pytest.raises(ConfigError, match="damaged"):
        Keys.load(path)


@pytest.mark.parametrize("field", ["tag", "derive", "signing", "masters"])
def test_a_key_file_with_a_short_key_is_refused(tmp_path: Path, field: str) -> None:
    path = tmp_path / "keys.json"
    Keys.create(path)
    plain = json.loads(path.read_text())
    plain[field] = [plain[field][0][:-2]] if field == "masters" else plain[field][:-2]
    path.write_text(json.dumps(plain))

    with pytest.raises(ConfigError, match="damaged"):
        Keys.load(path)


def test_a_missing_key_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="missing"):
        Keys.load(tmp_path / "keys.json")


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    Keys.create(path)
    before = path.read_bytes()

    with pytest.raises(ConfigError, match="already"):
        Keys.create(path)

    assert path.read_bytes() == before


def test_a_key_file_in_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="written"):
        Keys.create(tmp_path / "none" / "keys.json")


def test_keys_come_back_from_their_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    made = Keys.create(path)

    assert Keys.load(path) == made
    assert path.stat().st_mode & 0o777 == 0o600


def test_keys_and_vaults_print_no_secret(tmp_path: Path) -> None:
    keys = Keys.create(tmp_path / "keys.json")
    shown = repr(keys) + str(keys) + f"{keys!r}" + repr(opened_vault(keys)) + repr({"keys": keys})

    for secret in (
        *keys.masters,
        keys.tag_key,
        keys.derive_key,
        keys.signing_seed,
        keys.fingerprint_keys[0][1],
    ):
        assert repr(secret) not in shown
        assert secret.hex() not in shown


def test_saving_replaces_the_file_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    keys = Keys.create(path).with_new_epoch()
    keys.save(path)

    assert Keys.load(path) == keys
    assert [epoch for epoch, _ in keys.fingerprint_keys] == [1, 2]
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["keys.json"]


def test_saving_into_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="written"):
        KEYS.save(tmp_path / "none" / "keys.json")


@given(st.binary(max_size=200))
def test_what_is_sealed_opens_again(plain: bytes) -> None:
    vault = opened_vault()

    assert vault.open(1, "url", vault.seal(1, "url", plain)) == plain


def test_sealing_twice_gives_two_texts() -> None:
    vault = opened_vault()

    assert vault.seal(1, "url", PLAIN) != vault.seal(1, "url", PLAIN)
    assert PLAIN not in vault.seal(1, "url", PLAIN)


def test_every_changed_bit_is_found() -> None:
    vault = opened_vault()
    sealed = vault.seal(1, "url", PLAIN)
    for place in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(TamperedError):
            vault.open(1, "url", bytes(changed))


@pytest.mark.parametrize("cut", [0, 1, 12, 27])
def test_a_cut_value_is_found(cut: int) -> None:
    vault = opened_vault()

    with pytest.raises(TamperedError):
        vault.open(1, "url", vault.seal(1, "url", PLAIN)[:cut])


def test_a_value_moved_to_another_key_or_purpose_is_found() -> None:
    vault = opened_vault()
    vault.new_data_key(2)
    sealed = vault.seal(1, "url", PLAIN)

    for key_id, purpose in ((2, "url"), (1, "host"), (1, "frontier")):
        with pytest.raises(TamperedError):
            vault.open(key_id, purpose, sealed)


def test_a_data_key_is_bound_to_its_number() -> None:
    vault = Vault(KEYS)
    wrapped = vault.new_data_key(1)

    with pytest.raises(ConfigError):
        Vault(KEYS).learn(2, wrapped)


def test_another_key_file_does_not_open_a_data_key() -> None:
    with pytest.raises(ConfigError, match="key file"):
        Vault(Keys.fresh()).learn(1, Vault(KEYS).new_data_key(1))


def test_a_rotation_keeps_what_was_sealed() -> None:
    before = Vault(KEYS)
    wrapped = before.new_data_key(1)
    sealed = before.seal(1, "url", PLAIN)
    both = KEYS.with_new_master()
    rewrapped = Vault(both).rewrap(1, wrapped)
    after = Vault(both.with_newest_master_only())
    after.learn(1, rewrapped)

    assert after.open(1, "url", sealed) == PLAIN
    assert after.tag("url", "a") == before.tag("url", "a")
    with pytest.raises(ConfigError):
        Vault(KEYS).learn(1, rewrapped)


def test_a_forgotten_key_is_gone() -> None:
    vault = opened_vault()
    vault.forget(1)

    assert not vault.knows(1)


def test_tags_are_equal_for_equal_values_of_one_purpose_and_key_only() -> None:
    vault = Vault(KEYS)
    tags = {
        vault.tag("url", "bread"),
        vault.tag("host", "bread"),
        vault.tag("url", "rye"),
        Vault(Keys.fresh()).tag("url", "bread"),
    }

    assert vault.tag("url", "bread") == vault.tag("url", b"bread") == Vault(KEYS).tag("url", "bread")
    assert len(tags) == 4
    assert all(len(tag) == 32 for tag in tags)


def test_derived_salts_are_the_same_again_and_differ_by_purpose() -> None:
    first, second = Vault(KEYS), Vault(KEYS)

    assert first.derived_salt("body", b"a") == second.derived_salt("body", b"a")
    assert first.derived_salt("body", b"a") != first.derived_salt("other", b"a")
    assert first.derived_salt("body", b"a") != first.tag("body", b"a")


def test_a_vault_cannot_be_pickled() -> None:
    """A vault must not leave the process by accident, in a job's arguments or a cache."""
    with pytest.raises(TypeError):
        pickle.dumps(opened_vault())
