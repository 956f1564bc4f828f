"""Commitments bind each field alone, and tell nothing without their salt."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
from typing import Any

import pytest

from caselog.commitments import canonical_value, commitment, entry_body, field_salt, plain_value
from caselog.plans import PLANS
from caselog.records.choices import Outcome
from caselog.records.kinds import RECORDS
from caselog.records.pages import Page
from tests.caselog_samples import NOW, filled

SEED = bytes(range(32))
PLAN = PLANS[Page]


def entry(record: Page, number: int = 7, seed: bytes = SEED) -> dict[str, Any]:
    return dict(json.loads(entry_body(PLAN, number, seed, PLAN.keep(record))))


def test_an_entry_is_canonical_json_of_commitments_only() -> None:
    body = entry_body(PLAN, 7, SEED, PLAN.keep(filled(Page)))
    found = json.loads(body)

    assert sorted(found) == ["fields", "id", "kind", "v"]
    assert (found["id"], found["kind"], found["v"]) == (7, "Page", 1)
    assert set(found["fields"]) == {field.name for field in PLAN.fields}
    assert body == json.dumps(found, sort_keys=True, separators=(",", ":"))


def test_a_commitment_is_made_as_documented() -> None:
    status = PLAN.field("status")
    salt = hmac.new(SEED, b"status", hashlib.sha256).digest()

    assert status is not None
    assert field_salt(SEED, "status") == salt
    assert commitment(SEED, status, 200) == hashlib.sha256(salt + b"200").hexdigest()


@pytest.mark.parametrize(
    ("field", "kept", "text"),
    [
        ("status", None, "null"),
        ("status", 200, "200"),
        ("tls_valid", True, "true"),
        ("tls_valid", 1, "true"),
        ("tls_valid", 0, "false"),
        ("tls_valid", 7, "7"),
        ("url", 'a"ж', '"a\\"\\u0436"'),
        ("redirects", '[{"status":301}]', '[{"status":301}]'),
        ("block_print", b"\x00\xff", '"00ff"'),
    ],
)
def test_canonical_values(field: str, kept: Any, text: str) -> None:
    plan = PLAN.field(field)

    assert plan is not None
    assert canonical_value(plan, kept) == text
    assert plain_value(plan, kept) == json.loads(text)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", "https://bread.example/rye"),
        ("status", None),
        ("outcome", Outcome.GONE),
        ("tls_valid", False),
        ("redirects", ()),
        ("fetched_at", NOW.replace(microsecond=6)),
        ("block_print", b""),
    ],
)
def test_a_change_of_one_field_changes_its_commitment_alone(field: str, value: Any) -> None:
    before, after = entry(filled(Page)), entry(dataclasses.replace(filled(Page), **{field: value}))

    assert {n for n in before["fields"] if before["fields"][n] != after["fields"][n]} == {field}


def test_equal_values_of_two_fields_or_two_records_have_different_commitments() -> None:
    fields = entry(filled(Page))["fields"]
    other = entry(filled(Page), seed=b"\x01" * 32)["fields"]

    assert len(set(fields.values())) == len(fields)
    assert not set(fields.values()) & set(other.values())


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_every_kind_has_an_entry(kind: type[Any]) -> None:
    plan = PLANS[kind]

    assert json.loads(entry_body(plan, 1, SEED, plan.keep(filled(kind))))["kind"] == kind.__name__
