"""Whatever is changed, deleted or added behind the ledger's back is found; an export proves itself."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from caselog import schema, verify_alone
from caselog.errors import ConfigError, IntakeError, TamperedError
from caselog.ledger import Verified, export, head, leaf_indexes, seal, verify, verify_export
from caselog.merkle import EMPTY_ROOT
from caselog.records.choices import Subject, Verdict
from caselog.records.pages import Evidence, Page
from caselog.records.people import Decision
from caselog.store.purge import destroy_lead
from tests.caselog_samples import NOW, a_lead, evidence, page

if TYPE_CHECKING:
    from collections.abc import Callable

    from caselog.store.log import CaseLog

FILES = ("log.jsonl", "head.json", "SHA256SUMS", "verify.py", "opened.json")


@pytest.fixture
def sealed_log(case_log: CaseLog) -> CaseLog:
    """Give a log of a lead, a decision, nine pages and an evidence item, sealed in two batches."""
    with case_log.write() as writer:
        lead = a_lead(writer)
        writer.append(
            Decision(
                subject=Subject.LEAD,
                subject_id=lead.id,
                verdict=Verdict.CONFIRMED,
                reason="about rye",
                decided_by="anna",
                os_user="anna",
                decided_at=NOW,
            )
        )
        for status in range(200, 205):
            writer.append(page(lead, status=status))
        seal(writer, now=NOW)
    with case_log.write() as writer:
        pages = [writer.append(page(lead, status=status)) for status in range(205, 209)]
        writer.append(evidence(pages[0]))
        seal(writer, now=NOW)
    return case_log


def tamper(log: CaseLog, table: str, statement: str) -> None:
    """Do what an administrator can: take the triggers away, then change a row."""
    with log.write() as writer:
        connection = writer.connection
        if connection.dialect.name == "sqlite":
            for action in ("update", "delete"):
                connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS refuse_{action}_{table}")
            connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        else:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql(statement)


def test_an_untouched_log_is_verified(sealed_log: CaseLog) -> None:
    with sealed_log.write() as writer:
        a_lead(writer, "https://rye.example/", "rye.example")
    found = verify(sealed_log)

    assert (found.size, found.records, found.unsealed, found.purged, found.anchored) == (12, 13, 1, 0, 0)
    with sealed_log.read() as reader:
        now = head(reader)
    assert (now.size, now.root, now.at, now.unsealed) == (12, found.root, NOW, 1)


def test_an_empty_log_is_verified(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        assert seal(writer) == 0
    found = verify(case_log)

    assert (found.size, found.root, found.records, found.at) == (0, EMPTY_ROOT.hex(), 0, None)


def test_sealing_numbers_each_entry_once_without_gaps(sealed_log: CaseLog) -> None:
    with sealed_log.write() as writer:
        assert seal(writer) == 0
        a_lead(writer, "https://rye.example/", "rye.example")
        assert seal(writer) == 1
        numbers = writer.connection.execute(sa.select(schema.leaves.c.leaf_index)).scalars().all()

        assert sorted(numbers) == list(range(13))
        assert leaf_indexes(writer, Page, [1, 9, 99]) == {1: 2, 9: 10}


def test_more_entries_than_a_batch_are_numbered(sqlite_log: CaseLog) -> None:
    with sqlite_log.write() as writer:
        lead = a_lead(writer)
        for _ in range(1100):
            writer.append(page(lead))
        assert seal(writer) == 1101

    assert verify(sqlite_log).records == 1101


@pytest.mark.parametrize(
    ("table", "statement", "named"),
    [
        ("pages", "UPDATE pages SET status = 404 WHERE id = 3", "field status of page 3"),
        ("pages", "UPDATE pages SET peer_ip = '192.0.2.9' WHERE id = 9", "field peer_ip of page 9"),
        (
            "pages",
            "UPDATE pages SET fetched_at = '2026-11-23T10:00:00.000006Z' WHERE id = 9",
            "fetched_at of page 9",
        ),
        ("pages", "UPDATE pages SET fetched_at = 'yesterday' WHERE id = 9", "field fetched_at of page 9"),
        ("pages", "UPDATE pages SET outcome = 'baked' WHERE id = 9", "field outcome of page 9"),
        ("pages", "UPDATE pages SET tls_valid = NULL WHERE id = 9", "field tls_valid of page 9"),
        ("pages", "UPDATE pages SET url_id = dns_answers_id WHERE id = 9", "field url of page 9"),
        ("pages", "UPDATE pages SET dns_answers_id = NULL WHERE id = 9", "field dns_answers of page 9"),
        ("evidence", "UPDATE evidence SET score = 1.25 WHERE id = 1", "field score of evidence 1"),
        ("evidence", "UPDATE evidence SET page_ids = '[5]' WHERE id = 1", "field page_ids of evidence 1"),
        (
            "decisions",
            "UPDATE decisions SET verdict = 'rejected' WHERE id = 1",
            "field verdict of decision 1",
        ),
        ("decisions", "DELETE FROM decisions WHERE id = 1", "record of decision 1 is missing"),
        ("pages", "DELETE FROM pages WHERE id = 4", "record of page 4 is missing"),
        ("pages", "DELETE FROM pages WHERE id = 9", "record of page 9 is missing"),
        ("pages", "UPDATE pages SET id = 99 WHERE id = 4", "page 4|page 99"),
        (
            "entries",
            "UPDATE entries SET body = replace(body, '\"v\":1', '\"v\":2') WHERE id = 3",
            "entry of page 1",
        ),
        ("entries", "UPDATE entries SET kind = 'Bread' WHERE id = 3", "page 1"),
        (
            "leaves",
            "UPDATE leaves SET leaf_hash = substr(leaf_hash, 2, 31) || substr(leaf_hash, 1, 1)",
            "lead 1|where text belongs",
        ),
        ("leaves", "UPDATE leaves SET leaf_index = 99 WHERE leaf_index = 11", "Leaf 11"),
        ("leaves", "DELETE FROM leaves WHERE leaf_index = 11", "cut: 11 of 12"),
        ("leaves", "DELETE FROM leaves WHERE leaf_index = 5", "Leaf 5"),
        ("leaves", "DELETE FROM leaves", "cut: 0 of 7"),
        ("heads", "DELETE FROM heads", "after its last head"),
        ("heads", "DELETE FROM heads WHERE size = 12", "after its last head"),
        ("heads", "UPDATE heads SET root = peaks WHERE size = 7", "first 7 leaves"),
        ("heads", "UPDATE heads SET size = 5 WHERE size = 12", "older"),
        ("heads", "UPDATE heads SET size = 13 WHERE size = 12", "cut: 12 of 13"),
    ],
)
def test_what_an_administrator_changes_is_found(
    sealed_log: CaseLog, table: str, statement: str, named: str
) -> None:
    tamper(sealed_log, table, statement)

    with pytest.raises(TamperedError, match=named):
        verify(sealed_log)


def test_a_deleted_entry_is_found(sealed_log: CaseLog) -> None:
    with sealed_log.read() as reader:
        is_sqlite = reader.connection.dialect.name == "sqlite"
        path = reader.connection.engine.url.database or ""
    if is_sqlite:
        _without_foreign_keys(path, "DROP TRIGGER refuse_delete_entries", "DELETE FROM entries WHERE id = 3")
    else:
        tamper(sealed_log, "entries", "DELETE FROM entries WHERE id = 3")

    with pytest.raises(TamperedError, match="entry of leaf 2 is missing"):
        verify(sealed_log)


def _without_foreign_keys(path: str, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def test_an_entry_of_an_unknown_kind_is_found(sealed_log: CaseLog) -> None:
    tamper(sealed_log, "entries", "INSERT INTO entries (kind, record_id, body) VALUES ('Bread', 1, '{}')")

    with pytest.raises(TamperedError, match="unknown kind"):
        verify(sealed_log)


@pytest.mark.parametrize("body", ["{}", "[]", "null", "bread", '{"fields": {}, "kind": "Page", "id": 1}'])
def test_a_changed_entry_is_found_before_sealing(sealed_log: CaseLog, body: str) -> None:
    with sealed_log.write() as writer:
        a_lead(writer, "https://rye.example/", "rye.example")
    tamper(sealed_log, "entries", f"UPDATE entries SET body = '{body}' WHERE id = 13")

    with pytest.raises(TamperedError, match="entry of lead 2"):
        verify(sealed_log)


def test_a_field_that_is_younger_than_the_entry_is_not_held_against_it(sealed_log: CaseLog) -> None:
    with sealed_log.write() as writer:
        a_lead(writer, "https://rye.example/", "rye.example")
        body = json.loads(
            writer.connection.exec_driver_sql("SELECT body FROM entries WHERE id = 13").scalar()
        )
    del body["fields"]["seconds"]
    older = json.dumps(body, sort_keys=True, separators=(",", ":"))
    tamper(sealed_log, "entries", f"UPDATE entries SET body = '{older}' WHERE id = 13")

    assert verify(sealed_log).records == 13


def test_a_record_added_behind_the_ledger_is_found(sealed_log: CaseLog) -> None:
    statement = (
        "INSERT INTO users (name, role, password_hash, token_hash, token_scope, active, added_by, added_at) "
        "VALUES ('eve', 'supervisor', '', '', '', true, 'eve', '2026-11-23T10:00:00.000000Z')"
    )
    tamper(sealed_log, "users", statement)

    with pytest.raises(TamperedError, match="no ledger entry for user 1"):
        verify(sealed_log)


def test_an_entry_that_hides_from_sealing_is_found(sealed_log: CaseLog) -> None:
    with sealed_log.write() as writer:
        a_lead(writer, "https://rye.example/", "rye.example")
    tamper(sealed_log, "unsealed", "DELETE FROM unsealed")

    with pytest.raises(TamperedError, match="leaf of lead 2 is missing"):
        verify(sealed_log)


def test_a_change_before_sealing_is_found_too(sealed_log: CaseLog) -> None:
    with sealed_log.write() as writer:
        a_lead(writer, "https://rye.example/", "rye.example")
    tamper(sealed_log, "leads", "UPDATE leads SET added_by = 'eve' WHERE id = 2")

    with pytest.raises(TamperedError, match="field added_by of lead 2"):
        verify(sealed_log)


def test_a_root_that_somebody_holds_finds_a_rewritten_log(sealed_log: CaseLog, case_log: CaseLog) -> None:
    found = verify(sealed_log)
    assert verify(sealed_log, roots={12: found.root.upper()}).anchored == 12

    for roots in ({12: "0" * 64}, {7: found.root}, {13: found.root}, {12: "no hex"}):
        with pytest.raises(TamperedError):
            verify(sealed_log, roots=roots)


def test_a_purge_is_counted_and_not_taken_for_tampering(sealed_log: CaseLog) -> None:
    before = verify(sealed_log)
    with sealed_log.write() as writer:
        destroy_lead(writer, 1, NOW)
    after = verify(sealed_log)

    assert (after.root, after.records, after.purged) == (before.root, 12, 12)


def test_a_rotation_of_the_master_key_leaves_the_ledger_as_it_is(tmp_path: Path) -> None:
    from caselog.rotation import rotate
    from caselog.store.log import create_case_log, open_case_log
    from caselog.vault import Keys

    url, old = f"sqlite:///{tmp_path / 'casebook.db'}", Keys.create(tmp_path / "keys.json")
    log = create_case_log(url, old)
    with log.write() as writer:
        writer.append(page(a_lead(writer)))
        seal(writer)
    before = verify(log)
    log.close()
    new = rotate(url, tmp_path / "keys.json")
    log = open_case_log(url, new)

    assert verify(log) == before
    assert len(new.masters) == 1
    assert new.masters != old.masters
    assert Keys.load(tmp_path / "keys.json") == new
    log.close()
    stale = open_case_log(url, old)
    with pytest.raises(ConfigError, match="key file"):
        verify(stale)
    stale.close()


# Exports


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of an export with an opened evidence item; tests copy it."""
    from caselog.store.log import create_case_log
    from caselog.vault import Keys

    folder = tmp_path_factory.mktemp("exported")
    log = create_case_log(f"sqlite:///{folder / 'casebook.db'}", Keys.fresh())
    with log.write() as writer:
        lead = a_lead(writer)
        pages = [writer.append(page(lead)) for _ in range(6)]
        writer.append(evidence(pages[0], matches=({"k": 64, "level": "lead", "m": 0.5},)))
        seal(writer, now=NOW)
    with log.read() as reader:
        export(reader, folder / "out", open_evidence=1)
    log.close()
    return folder / "out"


def copied(exported: Path, folder: Path) -> Path:
    return shutil.copytree(exported, folder / "copy")


def alone(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(folder / "verify.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


@pytest.fixture(scope="module")
def alone_here(exported: Path) -> Callable[[Path], int]:
    """Give the exported program's `main`; the export holds the same bytes as the package."""
    assert (exported / "verify.py").read_bytes() == Path(verify_alone.__file__).read_bytes()
    return lambda folder: verify_alone.main([str(folder)])


def test_an_export_holds_its_files_and_is_verified(exported: Path) -> None:
    found = verify_export(exported)
    done = alone(exported)

    assert {file.name for file in exported.iterdir()} == set(FILES)
    assert (found.size, found.at, found.records, found.anchored) == (8, NOW, 0, 0)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"8 leaves match root {found.root}" in done.stdout


def test_an_export_tells_no_value(exported: Path) -> None:
    content = b"".join((exported / name).read_bytes() for name in ("log.jsonl", "head.json"))

    for secret in (
        b"bread",
        b"anna",
        b"192.0.2.1",
        b"e" * 64,
        NOW.isoformat()[:10].encode() + b"T10:00:00.000006",
    ):
        assert secret not in content


def test_opened_fields_can_be_checked_one_by_one(exported: Path) -> None:
    opened = json.loads((exported / "opened.json").read_text())
    fields = opened["fields"]

    assert (opened["kind"], opened["id"], opened["leaf_index"]) == ("Evidence", 1, 7)
    assert fields["body_sha256"]["value"] == "e" * 64
    assert fields["matches"]["value"] == [{"k": 64, "level": "lead", "m": 0.5}]
    assert not {"sketch", "block_tags"} & set(fields)


def test_roots_that_a_notice_prints_are_checked(exported: Path) -> None:
    root = verify_export(exported).root
    assert verify_export(exported, roots={8: root}).anchored == 8
    assert alone(exported, "--root", f"8:{root}").returncode == 0

    for size, wrong in ((8, "0" * 64), (3, root), (9, root)):
        with pytest.raises(TamperedError):
            verify_export(exported, roots={size: wrong})
        assert alone(exported, "--root", f"{size}:{wrong}").returncode == 5


def test_every_flipped_bit_in_any_file_is_found(
    exported: Path, tmp_path: Path, alone_here: Callable[[Path], int]
) -> None:
    folder, dice = copied(exported, tmp_path), random.Random(9162)
    assert alone_here(folder) == 0
    for turn in range(200):
        name = FILES[turn % len(FILES)]
        before = (folder / name).read_bytes()
        place = dice.randrange(len(before) * 8)
        changed = bytearray(before)
        changed[place // 8] ^= 1 << place % 8
        (folder / name).write_bytes(changed)

        with pytest.raises(TamperedError):
            verify_export(folder)
        assert alone_here(folder) == 5, (name, place)
        (folder / name).write_bytes(before)


@pytest.mark.parametrize("name", ["log.jsonl", "head.json", "SHA256SUMS", "opened.json"])
def test_the_program_alone_ends_with_5_on_a_flipped_bit(exported: Path, tmp_path: Path, name: str) -> None:
    folder = copied(exported, tmp_path)
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    done = alone(folder)

    assert done.returncode == 5
    assert done.stderr.startswith("TAMPERED")


def _resum(folder: Path) -> None:
    import hashlib

    names = sorted(set(FILES) - {"SHA256SUMS"})
    lines = [f"{hashlib.sha256((folder / n).read_bytes()).hexdigest()}  {n}\n" for n in names]
    (folder / "SHA256SUMS").write_text("".join(lines))


def _drop_line(folder: Path) -> None:
    lines = (folder / "log.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "log.jsonl").write_bytes(b"".join(lines[:-1]))


def _edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        content = (folder / name).read_text()
        assert old in content
        (folder / name).write_text(content.replace(old, new, 1))

    return edit


@pytest.mark.parametrize(
    "change",
    [
        _drop_line,
        _edit("log.jsonl", '"id":2', '"id":3'),
        _edit("log.jsonl", '{"fields"', '{ "fields"'),
        _edit("log.jsonl", "\n", "\r\n"),
        _edit("log.jsonl", "\n", ""),
        _edit("head.json", '"size":8', '"size":7'),
        _edit("head.json", '"size":8', '"size":8.0'),
        _edit("head.json", "{", "["),
        _edit("opened.json", "e" * 64, "f" * 64),
        _edit("opened.json", '"leaf_index":7', '"leaf_index":6'),
        _edit("opened.json", '"leaf_index":7', '"leaf_index":99'),
        _edit("opened.json", '"fields"', '"felder"'),
        _edit("opened.json", '"score"', '"rating"'),
    ],
)
def test_a_change_with_new_sums_is_found_by_the_tree(
    exported: Path, tmp_path: Path, change: Callable[[Path], None], alone_here: Callable[[Path], int]
) -> None:
    folder = copied(exported, tmp_path)
    change(folder)
    _resum(folder)

    with pytest.raises(TamperedError):
        verify_export(folder)
    assert alone_here(folder) == 5


@pytest.mark.parametrize("name", ["log.jsonl", "head.json", "SHA256SUMS", "verify.py"])
def test_a_missing_file_is_an_error_of_use(
    exported: Path, tmp_path: Path, name: str, alone_here: Callable[[Path], int]
) -> None:
    folder = copied(exported, tmp_path)
    (folder / name).unlink()

    with pytest.raises(ConfigError, match="empty"):
        verify_export(folder)
    assert alone_here(folder) == 2


def test_an_opened_file_that_went_missing_is_found(
    exported: Path, tmp_path: Path, alone_here: Callable[[Path], int]
) -> None:
    folder = copied(exported, tmp_path)
    (folder / "opened.json").unlink()

    with pytest.raises(TamperedError):
        verify_export(folder)
    assert alone_here(folder) == 5


def test_an_empty_or_missing_folder_is_an_error_of_use(
    tmp_path: Path, alone_here: Callable[[Path], int]
) -> None:
    for folder in (tmp_path / "none", tmp_path):
        with pytest.raises(ConfigError, match="empty"):
            verify_export(folder)
        assert alone_here(folder) == 2


def test_a_wrong_call_of_the_program_alone_is_an_error_of_use(exported: Path) -> None:
    assert [alone(exported, *words).returncode for words in (["--root"], ["--root", "many:0"])] == [2, 2]


def test_an_export_replaces_an_earlier_one(sealed_log: CaseLog, tmp_path: Path) -> None:
    with sealed_log.read() as reader:
        export(reader, tmp_path, open_evidence=1)
        export(reader, tmp_path)

    assert not (tmp_path / "opened.json").exists()
    assert verify_export(tmp_path).size == 12


def test_an_export_of_nothing_sealed_is_refused(case_log: CaseLog, tmp_path: Path) -> None:
    with case_log.write() as writer:
        a_lead(writer)
    with case_log.read() as reader, pytest.raises(ConfigError, match="no sealed record"):
        export(reader, tmp_path)


def test_an_export_into_a_file_is_refused(sealed_log: CaseLog, tmp_path: Path) -> None:
    (tmp_path / "bread").write_text("")
    with sealed_log.read() as reader, pytest.raises(ConfigError, match="cannot be written"):
        export(reader, tmp_path / "bread")


def test_an_export_of_a_changed_log_is_refused(sealed_log: CaseLog, tmp_path: Path) -> None:
    tamper(sealed_log, "entries", "UPDATE entries SET body = '{}' WHERE id = 3")
    with sealed_log.read() as reader, pytest.raises(TamperedError):
        export(reader, tmp_path)


def test_evidence_that_cannot_be_opened_is_named(sealed_log: CaseLog, tmp_path: Path) -> None:
    with sealed_log.write() as writer:
        writer.append(evidence(writer.get(Page, 1)))
    with sealed_log.read() as reader:
        for number, message in ((2, "not sealed"), (3, "no evidence 3"), (0, "no evidence 0")):
            with pytest.raises(IntakeError, match=message):
                export(reader, tmp_path, open_evidence=number)
    with sealed_log.write() as writer:
        destroy_lead(writer, 1, NOW)
    with sealed_log.read() as reader, pytest.raises(IntakeError, match="purged"):
        export(reader, tmp_path, open_evidence=1)


def test_a_verdict_names_its_figures() -> None:
    plain: dict[str, Any] = {"size": 1, "root": "", "at": None, "records": 1, "unsealed": 0, "purged": 0}

    assert Verified(anchored=0, **plain).anchored == 0
    assert Evidence.__name__ == "Evidence"
