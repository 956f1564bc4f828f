"""Records go in and come out as they were, sealed in between, in whole transactions; on both databases."""

from __future__ import annotations

import dataclasses
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from caselog import schema
from caselog.errors import CaseError, ConfigError, IntakeError, RefusedError, SourceError, TamperedError
from caselog.plans import PLANS
from caselog.records.choices import Origin, Outcome, Subject, UserRole, Verdict
from caselog.records.ids import LeadId, SiteId
from caselog.records.leads import Lead, Report
from caselog.records.pages import Evidence, Page
from caselog.records.people import Decision, User
from caselog.store.exclusions import excluded_hosts, stopped_hosts
from caselog.store.leads import (
    LeadState,
    add_report,
    classification_of,
    lead_by_url,
    lead_state,
    lead_states,
)
from caselog.store.log import create_case_log, open_case_log
from caselog.store.purge import destroy_lead
from caselog.store.sites import known_site, site_for, site_host, site_hosts, site_tag, site_tags
from caselog.store.users import user_named, users
from caselog.vault import PURGED, Keys
from tests.caselog_samples import HOST, NOW, URL, a_lead, evidence, filled, page

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from caselog.store.log import CaseLog

REPORT = {"source": "line", "reference": "r-1", "added_by": "anna"}


def decide(subject: Subject, number: int, verdict: Verdict, **fields: Any) -> Decision:
    return Decision(
        subject=subject,
        subject_id=number,
        verdict=verdict,
        decided_by="anna",
        os_user="anna",
        decided_at=NOW,
        **fields,
    )


def everything_in(log: CaseLog) -> bytes:
    """Return each value of each row of each table."""
    with log.read() as reader:
        rows = [
            tuple(row)
            for t in schema.METADATA.sorted_tables
            for row in reader.connection.execute(sa.select(t))
        ]
    return b"\n".join(v if isinstance(v, bytes) else str(v).encode() for row in rows for v in row)


def fail_after_a_lead(log: CaseLog) -> None:
    def work() -> None:
        with log.write() as writer:
            a_lead(writer)
            raise RuntimeError("the oven is off")

    with pytest.raises(RuntimeError):
        work()


def test_every_kind_of_record_comes_back_as_it_was(case_log: CaseLog) -> None:
    order = [table.name for table in schema.METADATA.sorted_tables]
    with case_log.write() as writer:
        site_for(writer, HOST)
        made = [
            writer.append(filled(plan.kind))
            for plan in sorted(PLANS.values(), key=lambda p: order.index(p.table))
        ]
    with case_log.read() as reader:
        for record in made:
            assert reader.get(type(record), record.id) == record
            assert reader.count(type(record)) == 1


def test_no_sealed_value_stands_in_any_row(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        lead = a_lead(writer)
        writer.append(page(lead, final_url="https://bread.example/rye", redirects=({"location": "/rye"},)))
        writer.append(decide(Subject.LEAD, lead.id, Verdict.CONFIRMED, reason="about rye"))
    found = everything_in(case_log)

    assert b"anna" in found
    assert b"bread" not in found
    assert b"rye" not in found
    assert b"192.0.2.1" not in found


def test_find_by_plain_and_tagged_fields(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        first, second = a_lead(writer), a_lead(writer, "https://rye.example/", "rye.example")
        pages = [writer.append(page(lead, status=s)) for lead in (first, second) for s in (200, 404, None)]
    with case_log.read() as reader:
        assert reader.find(Page) == pages
        assert reader.find(Page, newest_first=True, limit=2) == [pages[5], pages[4]]
        assert reader.find(Page, url=URL) == pages[:3]
        assert reader.find(Page, url=[URL, "https://rye.example/"], status=404) == [pages[1], pages[4]]
        assert reader.find(Page, status=(200, 404), lead_id=second.id) == pages[3:5]
        assert reader.find(Page, status=None) == [pages[2], pages[5]]
        assert (
            reader.find(Page, final_url=None, outcome=Outcome.TEXT, fetched_at=NOW, tls_valid=True) == pages
        )
        assert reader.find(Page, url="https://bread.example/none") == []
        assert reader.find(Page, status=()) == []
        assert reader.find(Page, id=(2, 3)) == pages[1:3]
        assert reader.find(Lead, host=HOST, origin="reported") == [first]
        assert reader.latest(Page, lead_id=first.id) == pages[2]
        assert reader.latest(Page, lead_id=99) is None
        assert reader.count(Page, url=URL, status=[200, 404]) == 2


@pytest.mark.parametrize("equals", [{"redirects": ()}, {"none": 1}, {"status": "many"}, {"outcome": "baked"}])
def test_a_field_that_cannot_be_looked_up_is_refused(sqlite_log: CaseLog, equals: dict[str, Any]) -> None:
    with pytest.raises(ConfigError), sqlite_log.read() as reader:
        reader.find(Page, **equals)


def test_a_number_that_does_not_exist_is_named(case_log: CaseLog) -> None:
    with case_log.read() as reader, pytest.raises(IntakeError, match=r"There is no lead 7\."):
        reader.get(Lead, 7)


def test_a_record_that_refers_to_nothing_is_refused(case_log: CaseLog) -> None:
    with pytest.raises(IntakeError), case_log.write() as writer:
        writer.append(page(filled(Lead), lead_id=LeadId(99), site_id=SiteId(99)))


def test_an_error_leaves_nothing_behind(case_log: CaseLog) -> None:
    fail_after_a_lead(case_log)
    with case_log.read() as reader:
        assert reader.count(Lead) == 0
        assert reader.connection.execute(sa.select(sa.func.count()).select_from(schema.entries)).scalar() == 0
    with case_log.write() as writer:
        lead = a_lead(writer, "https://rye.example/", "rye.example")
    with case_log.read() as reader:
        assert reader.find(Lead) == [lead]


def test_numbers_freed_by_a_rollback_do_not_mix_up_keys_and_values(
    database_url: Callable[[], str], keys: Keys
) -> None:
    url = database_url()
    log = create_case_log(url, keys)
    fail_after_a_lead(log)
    with log.write() as writer:
        writer.append(page(a_lead(writer, "https://rye.example/", "rye.example")))
        a_lead(writer)
    log.close()
    again = open_case_log(url, keys)
    with again.read() as reader:
        assert [lead.url for lead in reader.find(Lead)] == ["https://rye.example/", URL]
        assert site_host(reader, reader.find(Lead)[1].site_id) == HOST
    again.close()


def test_an_equal_value_is_sealed_once_for_a_lead(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        lead = a_lead(writer)
        for _ in range(5):
            writer.append(page(lead))
    with case_log.write() as writer:
        writer.append(page(lead))
    with case_log.read() as reader:
        columns = schema.METADATA.tables["pages"].c
        query = sa.select(columns.url_id, columns.dns_answers_id).distinct()
        assert len(reader.connection.execute(query).all()) == 1


def test_a_second_process_finds_values_that_the_first_sealed(
    database_url: Callable[[], str], keys: Keys
) -> None:
    url = database_url()
    first = create_case_log(url, keys)
    with first.write() as writer:
        lead = a_lead(writer)
    second = open_case_log(url, keys)
    with second.write() as writer:
        made = writer.append(page(lead))
    with first.read() as reader:
        assert reader.get(Page, made.id) == made
        pages, leads = schema.METADATA.tables["pages"], schema.METADATA.tables["leads"]
        assert reader.connection.execute(sa.select(pages.c.url_id)).scalar() == (
            reader.connection.execute(sa.select(leads.c.url_id)).scalar()
        )
    first.close()
    second.close()


def test_a_wrong_key_file_opens_nothing(database_url: Callable[[], str], keys: Keys) -> None:
    url = database_url()
    log = create_case_log(url, keys)
    with log.write() as writer:
        a_lead(writer)
    log.close()
    wrong = open_case_log(url, Keys.fresh())
    with pytest.raises(ConfigError, match="key file"), wrong.read() as reader:
        reader.find(Lead)
    wrong.close()


def test_a_changed_seal_is_found(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        lead = a_lead(writer)
    with case_log.write() as writer:
        writer.connection.execute(schema.addresses.update().values(ciphertext=b"x" * 60))
    with pytest.raises(TamperedError), case_log.read() as reader:
        reader.get(Lead, lead.id)


def test_a_row_that_cannot_be_read_is_tampered(sqlite_log: CaseLog) -> None:
    with sqlite_log.write() as writer:
        lead = a_lead(writer)
        writer.connection.execute(sa.text("DROP TRIGGER refuse_update_leads"))
        writer.connection.execute(sa.text("UPDATE leads SET origin = 'baked'"))
    with pytest.raises(TamperedError, match=f"lead {lead.id}"), sqlite_log.read() as reader:
        reader.get(Lead, lead.id)


def test_a_reader_sees_the_log_as_it_was_at_its_start(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        a_lead(writer)
    with case_log.read() as reader:
        before = reader.count(Lead)
        with case_log.write() as writer:
            a_lead(writer, "https://rye.example/", "rye.example")
        assert (before, reader.count(Lead)) == (1, 1)
    with case_log.read() as reader:
        assert reader.count(Lead) == 2


def test_writers_in_threads_wait_for_each_other(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        lead = a_lead(writer)

    def work() -> None:
        for _ in range(5):
            with case_log.write() as writer:
                add_report(writer, url="https://rye.example/", host="rye.example", now=NOW, **REPORT)
                writer.append(page(lead))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with case_log.read() as reader:
        assert (reader.count(Page), reader.count(Lead), reader.count(Report)) == (20, 2, 1)


def test_a_busy_database_is_an_error_of_ours(sqlite_log: CaseLog, tmp_path: Path, keys: Keys) -> None:
    other = open_case_log(f"sqlite:///{tmp_path / 'casebook.db'}", keys)
    with sqlite_log.write() as writer:
        a_lead(writer)
        with other.read() as reader:
            reader.connection.exec_driver_sql("PRAGMA busy_timeout=1")
        with pytest.raises(SourceError, match="busy"), other.write():
            pass
    other.close()


def test_no_error_of_a_library_leaks_and_none_holds_a_value(case_log: CaseLog) -> None:
    for statement in (
        "SELECT 'sourdough' FROM nowhere",
        "INSERT INTO meta (key, value) VALUES ('sourdough', NULL)",
        "sourdough",
    ):
        with pytest.raises(CaseError) as caught, case_log.write() as writer:
            writer.connection.execute(sa.text(statement))
        assert "sourdough" not in caught.value.message + caught.value.hint + repr(caught.value.__cause__)


def test_the_database_file_is_readable_by_its_owner_only(tmp_path: Path, sqlite_log: CaseLog) -> None:
    with sqlite_log.write() as writer:
        a_lead(writer)
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}

    assert set(modes.values()) == {0o600}
    assert "casebook.db-wal" in modes


def test_settings_hold_on_every_connection(sqlite_log: CaseLog) -> None:
    wanted = {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "recursive_triggers": 1,
        "busy_timeout": 30000,
        "secure_delete": 1,
    }
    with sqlite_log.read() as one, sqlite_log.read() as two:
        for reader in (one, two):
            found = {n: reader.connection.exec_driver_sql(f"PRAGMA {n}").scalar() for n in wanted}
            assert found == wanted


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite:////nowhere/casebook.db", "missing"),
        ("sqlite://", "file"),
        ("sqlite:///:memory:", "file"),
        ("mysql://localhost/bread", "not supported"),
        ("bread", "not a database address"),
    ],
)
def test_a_database_that_cannot_be_opened_is_named(url: str, message: str, keys: Keys) -> None:
    with pytest.raises(ConfigError, match=message):
        open_case_log(url, keys)


def test_a_database_that_cannot_be_made_is_named(keys: Keys) -> None:
    with pytest.raises(ConfigError, match="cannot be made"):
        create_case_log("sqlite:////nowhere/casebook.db", keys)


def test_a_server_that_does_not_answer_is_a_source_error(keys: Keys, tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        open_case_log(f"postgresql+psycopg://leadline@/postgres?host={tmp_path}", keys)


@pytest.mark.parametrize("content", [b"bread" * 300, b""])
def test_a_file_that_is_no_case_log_is_refused(tmp_path: Path, keys: Keys, content: bytes) -> None:
    path = tmp_path / "casebook.db"
    path.write_bytes(content)

    with pytest.raises(ConfigError):
        open_case_log(f"sqlite:///{path}", keys)


@pytest.mark.parametrize(("revision", "message"), [("0000", "older"), ("9999", "newer")])
def test_a_case_log_of_another_version_is_refused(
    database_url: Callable[[], str], keys: Keys, revision: str, message: str
) -> None:
    url = database_url()
    log = create_case_log(url, keys)
    with log.write() as writer:
        writer.connection.execute(sa.text(f"UPDATE alembic_version SET version_num = '{revision}'"))
    log.close()

    with pytest.raises(ConfigError, match=message):
        open_case_log(url, keys)


def test_sites_have_one_row_for_each_host(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        first, again, other = (site_for(writer, host) for host in (HOST, HOST, "rye.example"))
    with case_log.write() as writer:
        assert site_for(writer, HOST) == first == again != other
        assert known_site(writer, "none.example") is None
        assert site_host(writer, other) == "rye.example"
        assert site_hosts(writer) == {first: HOST, other: "rye.example"}
        assert site_tags(writer)[first] == site_tag(writer, first)
        assert site_tag(writer, first).startswith("s-")
        assert len(site_tag(writer, first)) == 10
        for function in (site_host, site_tag):
            with pytest.raises(IntakeError, match="There is no site 99"):
                function(writer, SiteId(99))


def test_a_report_of_a_known_address_joins_its_lead(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        lead, report, is_new = add_report(writer, url=URL, host=HOST, now=NOW, **REPORT)
        same = add_report(writer, url=URL, host=HOST, now=NOW + timedelta(days=1), **REPORT)
        other = add_report(writer, url=URL, host=HOST, now=NOW, **{**REPORT, "reference": "r-2"})

        assert is_new
        assert same == (lead, report, False)
        assert (other[0], other[2]) == (lead, True)
        assert (writer.count(Lead), writer.count(Report)) == (1, 2)
        assert lead_by_url(writer, URL) == lead
        assert lead_by_url(writer, "https://bread.example/none") is None
        assert (lead.origin, lead.added_at) == (Origin.REPORTED, NOW)


@pytest.mark.parametrize(
    ("verdicts", "state"),
    [
        ([], LeadState.NEW),
        ([Verdict.CONFIRMED], LeadState.CONFIRMED),
        ([Verdict.CONFIRMED, Verdict.NOT_ILLEGAL], LeadState.REJECTED),
        ([Verdict.REJECTED, Verdict.CONFIRMED], LeadState.CONFIRMED),
        ([Verdict.CONFIRMED, Verdict.CLOSED], LeadState.CLOSED),
        ([Verdict.CONFIRMED, Verdict.EXPORTED], LeadState.CONFIRMED),
    ],
)
def test_the_newest_decision_on_a_lead_counts(
    case_log: CaseLog, verdicts: list[Verdict], state: LeadState
) -> None:
    with case_log.write() as writer:
        lead, other = a_lead(writer), a_lead(writer, "https://rye.example/", "rye.example")
        writer.append(decide(Subject.EVIDENCE, lead.id, Verdict.REJECTED))
        for verdict in verdicts:
            writer.append(decide(Subject.LEAD, lead.id, verdict))

        assert lead_states(writer) == {lead.id: state, other.id: LeadState.NEW}
        assert lead_state(writer, lead.id) is state


def test_the_legal_code_of_a_decision_stands_over_that_of_a_report(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        lead, _, _ = add_report(writer, url=URL, host=HOST, now=NOW, **REPORT)
        assert classification_of(writer, lead.id) is None
        add_report(writer, url=URL, host=HOST, now=NOW, classification="b-2", **{**REPORT, "reference": "2"})
        assert classification_of(writer, lead.id) == "b-2"
        writer.append(decide(Subject.LEAD, lead.id, Verdict.CONFIRMED, classification="b-1"))
        writer.append(decide(Subject.LEAD, lead.id, Verdict.CONFIRMED))
        assert classification_of(writer, lead.id) == "b-1"


def test_hosts_are_excluded_and_stopped_until_included_again(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        for host, verdict in (
            ("court.example", Verdict.EXCLUDED),
            ("help.example", Verdict.EXCLUDED),
            ("help.example", Verdict.INCLUDED),
            ("bread.example", Verdict.STOPPED),
            ("rye.example", Verdict.STOPPED),
            ("rye.example", Verdict.INCLUDED),
        ):
            writer.append(decide(Subject.SITE, 0, verdict, detail=host))

        assert excluded_hosts(writer) == {"court.example"}
        assert stopped_hosts(writer) == {"bread.example"}


def test_the_newest_row_of_a_name_counts(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        for name, role in (
            ("anna", UserRole.ANALYST),
            ("ben", UserRole.OFFICER),
            ("anna", UserRole.SUPERVISOR),
        ):
            writer.append(User(name=name, role=role, added_by="anna", added_at=NOW))
        anna = user_named(writer, "anna")

        assert anna is not None
        assert anna.role is UserRole.SUPERVISOR
        assert user_named(writer, "carl") is None
        assert [(user.name, user.role) for user in users(writer)] == [
            ("anna", UserRole.SUPERVISOR),
            ("ben", UserRole.OFFICER),
        ]


def test_rows_of_the_frontier_are_sealed_by_the_same_keys(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        lead = a_lead(writer)
        key_id = writer.vault.key_id(writer.connection, lead.id)
        sealed = writer.vault.seal_bytes(key_id, "frontier", URL)
        assert key_id != writer.vault.key_id(writer.connection, None)
    with case_log.read() as reader:
        assert reader.vault.open_bytes(reader.connection, key_id, "frontier", sealed) == URL


def test_rows_that_are_there_already_are_not_counted_as_new(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        site_id = site_for(writer, HOST)
        rows = [{"site_id": site_id, "tag": bytes([n]) * 16, "seen": 1} for n in range(5)]
        assert writer.insert_new(schema.site_frames, rows[:3], ("site_id", "tag")) == 3
        assert writer.insert_new(schema.site_frames, rows, ("site_id", "tag")) == 2
        assert writer.insert_new(schema.site_frames, [], ("site_id", "tag")) == 0


def test_a_purge_destroys_what_was_sealed_for_a_lead_and_no_more(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        lead, other = a_lead(writer), a_lead(writer, "https://rye.example/", "rye.example")
        kept = writer.append(page(other))
        first = writer.append(page(lead))
        writer.append(evidence(first))
        writer.append(decide(Subject.LEAD, lead.id, Verdict.CLOSED, reason="stale"))
    with case_log.write() as writer:
        assert destroy_lead(writer, lead.id, NOW) == 4
    with case_log.write() as writer:
        assert (writer.get(Lead, lead.id).url, writer.get(Page, first.id).dns_answers) == (PURGED, ())
        assert writer.find(Page, url=URL) == []
        assert writer.get(Evidence, 1).body_sha256 == "e" * 64
        assert site_hosts(writer) == {other.site_id: "rye.example"}
        assert known_site(writer, HOST) is None
        assert writer.get(Page, kept.id) == kept
        with pytest.raises(RefusedError, match="destroyed"):
            writer.append(dataclasses.replace(first, id=0))
    with case_log.write() as writer:
        again = a_lead(writer)
        assert writer.get(Lead, again.id).url == URL
        assert site_host(writer, again.site_id) == HOST


def test_a_purge_keeps_the_host_that_another_lead_still_needs(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        lead, _ = a_lead(writer), a_lead(writer, "https://bread.example/rye")
        destroy_lead(writer, lead.id, NOW)

        assert site_host(writer, lead.site_id) == HOST
