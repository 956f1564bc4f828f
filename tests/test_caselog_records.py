"""Every kind of record can be kept and read back as it was, and what does not fit is refused."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caselog.errors import IntakeError
from caselog.plans import KINDS, PLANS, Form, canonical_json, moment_text, table_name
from caselog.records.kinds import RECORDS
from caselog.records.leads import Lead
from caselog.records.pages import Evidence, Page
from tests.caselog_samples import NOW, filled, page

TEXTS = st.text(max_size=40)
MEMBERS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_a_record_is_frozen_slotted_and_keeps_its_number_first(kind: type[Any]) -> None:
    record = filled(kind)

    assert dataclasses.fields(kind)[0].name == "id"
    assert record.id == 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.id = 1


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_a_record_with_every_field_at_its_limit_is_restored(kind: type[Any]) -> None:
    record, plan = filled(kind), PLANS[kind]

    assert plan.record(0, plan.keep(record)) == record


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_every_field_one_over_its_limit_is_refused(kind: type[Any]) -> None:
    record, plan = filled(kind), PLANS[kind]
    for field in plan.fields:
        if field.limit:
            value = getattr(record, field.name)
            longer = (value[0] + "b",) if field.form is Form.LISTING else value + value[:1]
            with pytest.raises(IntakeError, match=f"The field {field.name} of a"):
                plan.keep(dataclasses.replace(record, **{field.name: longer}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", None),
        ("url", 7),
        ("url", "https://bread.example/\x00"),
        ("url", "https://bread.example/\ud800"),
        ("fetched_at", datetime(2026, 11, 23, 10)),
        ("fetched_at", "2026-11-23"),
        ("fetched_at", datetime.min.replace(tzinfo=timezone(timedelta(hours=2)))),
        ("size_bytes", 2**63),
        ("size_bytes", 1.5),
        ("size_bytes", float("nan")),
        ("size_bytes", "many"),
        ("tls_valid", 1),
        ("outcome", "baked"),
        ("redirects", "https://bread.example/"),
        ("redirects", ({"at": NOW},)),
        ("redirects", (float("nan"),)),
        ("block_print", "text"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name_and_not_quoted(field: str, value: Any) -> None:
    bad = dataclasses.replace(filled(Page), **{field: value})

    with pytest.raises(IntakeError) as caught:
        PLANS[Page].keep(bad)

    assert field in caught.value.message
    assert "bread" not in caught.value.message


def test_a_score_that_is_not_finite_is_refused() -> None:
    with pytest.raises(IntakeError, match="score"):
        PLANS[Evidence].keep(dataclasses.replace(filled(Evidence), score=float("inf")))


def test_times_of_other_zones_are_kept_in_utc_and_sort_as_text() -> None:
    early = datetime(2026, 11, 23, 3, 4, tzinfo=timezone(timedelta(hours=2)))

    assert moment_text(early) == "2026-11-23T01:04:00.000000Z"
    assert sorted([moment_text(NOW), moment_text(early)]) == [moment_text(early), moment_text(NOW)]


@given(
    st.datetimes(
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7))]), min_value=datetime(1990, 1, 1)
    )
)
def test_every_time_comes_back_as_the_same_instant(moment: datetime) -> None:
    text = moment_text(moment)

    assert datetime.fromisoformat(text) == moment
    assert len(text) == 27


@given(st.lists(MEMBERS, max_size=3))
def test_canonical_json_is_the_same_after_reading_it(members: list[Any]) -> None:
    import json

    text = canonical_json(members)

    assert canonical_json(json.loads(text)) == text
    assert text.isascii()


def test_table_names_are_plurals() -> None:
    names = [table_name(kind) for kind in ("Lead", "CaseChange", "Query", "Reply", "Evidence", "Hosting")]

    assert names == ["leads", "case_changes", "queries", "replies", "evidence", "hosting"]


def test_sealed_fields_never_stand_in_a_repr() -> None:
    for kind in RECORDS:
        shown = repr(filled(kind))
        for field in KINDS[kind.__name__].sealed:
            assert f"{field.name}=" not in shown


def test_the_plain_sample_page_fits() -> None:
    kept = PLANS[Page].keep(page(filled(Lead)))

    assert kept["outcome"] == "text"
    assert kept["redirects"] == "[]"
