"""The table of who may know what, held against every rendered format by canaries."""

from __future__ import annotations

import base64
import json
from dataclasses import fields, replace
from email import message_from_bytes
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caselog.errors import RefusedError
from caselog.records.choices import CountryLevel
from caselog.records.ids import EvidenceId
from exports.documents import Format, render
from exports.redact import TABLE, Audience, Datum, Shown, _facts, one_line, redact
from tests.exports_samples import ITEM, NOTICE, POSTING, SHORT_ITEM

CANARIES: dict[str, Datum] = {
    "http://canary-host.example/sourdough/canary-path?loaf=1": Datum.URL,
    "canary-path": Datum.URL,
    "canary-host.example": Datum.HOST,
    "a1" * 32: Datum.DIGEST,
    "b2" * 32: Datum.KEYED_DIGEST,
    "c3" * 32: Datum.COMMITMENT,
    "203.0.113.77": Datum.NETWORK,
    "64511": Datum.NETWORK,
    "Canary Ovens": Datum.NETWORK,
    "CANARY-AS": Datum.NETWORK,
    "CANARY-NET": Datum.NETWORK,
    "203.0.113.64/26": Datum.NETWORK,
    "CANARY-HANDLE": Datum.NETWORK,
    "NL": Datum.COUNTRY,
    "Art. 7 canary": Datum.CLASSIFICATION,
    "2026-11-01T07:07:07Z": Datum.TIMES,
    "2026-11-02T08:08:08Z": Datum.TIMES,
    "987654": Datum.REPRODUCTION,
    "canary-abuse@ovens.example": Datum.RECIPIENT,
    "Canary Archive": Datum.PRESERVATION,
    "d4" * 32: Datum.WITNESS,
    "canary-analyst": Datum.PERSON,
    "canary-reason": Datum.PERSON,
    "i-canary01": Datum.ITEM_ID,
}

# What a format leaves out although its audience may know it.
NOT_IN = {
    Format.XARF: {Datum.WITNESS, Datum.PRESERVATION, Datum.RECIPIENT, Datum.REPRODUCTION, Datum.COMMITMENT},
    Format.CSV: {Datum.WITNESS, Datum.PRESERVATION, Datum.RECIPIENT},
    Format.JSONL: {Datum.WITNESS, Datum.PRESERVATION, Datum.RECIPIENT},
    Format.MAIL: set(),
}
XARF_LEAVES_OUT = {
    "i-canary01",
    "Art. 7 canary",
    "CANARY-AS",
    "CANARY-NET",
    "203.0.113.64/26",
    "CANARY-HANDLE",
    "2026-11-01T07:07:07Z",
}


def _clear_text(form: Format, content: bytes) -> str:
    """Return all that a reader of the document can see: each part decoded, and the raw headers."""
    if form is not Format.MAIL:
        return content.decode()
    message = message_from_bytes(content, policy=default)
    parts = [f"{name}: {value}" for part in message.walk() for name, value in part.items()]
    parts += [part.get_payload(decode=True).decode() for part in message.walk() if not part.is_multipart()]
    return "\n".join(parts)


def _rendered(audience: Audience, form: Format, item: object, **changes: object) -> str:
    cut = redact([item], audience, replace(POSTING, **changes))
    documents = render(cut, form).documents
    names = "\n".join(document.name for document in documents)
    return names + "\n" + "\n".join(_clear_text(form, document.content) for document in documents)


def _may_render(audience: Audience, form: Format) -> bool:
    if form is Format.XARF:
        return audience in TABLE[Datum.URL]
    return form is not Format.MAIL or audience is not Audience.PUBLIC


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize("audience", Audience)
@pytest.mark.parametrize("canary", CANARIES)
def test_no_format_tells_an_audience_what_the_table_keeps_from_it(canary, audience, form):
    datum = CANARIES[canary]
    item = SHORT_ITEM if datum is Datum.COMMITMENT else ITEM
    if not _may_render(audience, form):
        with pytest.raises(RefusedError) as refused:
            _rendered(audience, form, item)
        assert refused.value.code == "audience"
        return

    text = _rendered(audience, form, item)

    if audience not in TABLE[datum]:
        assert canary not in text
    elif datum not in NOT_IN[form] and not (form is Format.XARF and canary in XARF_LEAVES_OUT):
        # The public is told counts only, so an item's name need not stand there.
        assert canary in text or audience is Audience.PUBLIC


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize("audience", sorted(set(Audience) - {Audience.PUBLIC}))
def test_the_plain_digest_and_size_of_a_short_text_are_told_to_nobody(audience, form):
    if not _may_render(audience, form):
        return

    text = _rendered(audience, form, SHORT_ITEM)

    assert "a1" * 32 not in text
    assert "987654" not in text


@pytest.mark.parametrize(
    ("datum", "audiences"),
    [
        (Datum.URL, {"host", "hotline", "police"}),
        (Datum.HOST, {"host", "hotline", "police", "cert"}),
        (Datum.NETWORK, {"host", "hotline", "police", "cert"}),
        (Datum.DIGEST, {"host", "hotline", "police"}),
        (Datum.KEYED_DIGEST, {"cert"}),
        (Datum.PERSON, set()),
        (Datum.ITEM_ID, {"host", "hotline", "police", "cert", "public"}),
    ],
)
def test_the_table_says(datum, audiences):
    assert audiences == {audience.value for audience in TABLE[datum]}


def test_every_datum_has_a_row_and_a_canary():
    assert set(Datum) == set(TABLE) == set(CANARIES.values())


def test_every_fact_of_an_item_stands_under_one_datum():
    named = [name for values in _facts(ITEM).values() for name in values]

    assert sorted(named) == sorted(field.name for field in fields(Shown) if field.name != "item_id")


@pytest.mark.parametrize("form", [Format.MAIL, Format.CSV, Format.JSONL, Format.XARF])
@pytest.mark.parametrize("audience", Audience)
def test_the_practice_mark_stands_in_each_format(form, audience):
    if not _may_render(audience, form):
        return

    def text(practice: bool) -> str:
        items = [replace(ITEM, evidence_id=EvidenceId(n)) for n in range(5)]
        posting = replace(POSTING, notice=replace(NOTICE, practice=practice))
        documents = render(redact(items, audience, posting), form).documents
        return "\n".join(_clear_text(form, one.content) for one in documents)

    marks = ("PRACTICE - NOT A REAL NOTICE", '"practice":true')

    assert any(mark in text(True) for mark in marks)
    assert not any(mark in text(False) for mark in marks)


def test_a_cert_reads_amber_strict_at_least():
    open_notice = replace(POSTING, notice=replace(NOTICE, tlp="GREEN"))

    assert redact([ITEM], Audience.CERT, open_notice).heading.tlp == "AMBER+STRICT"
    assert redact([ITEM], Audience.HOST, open_notice).heading.tlp == "GREEN"
    red = replace(POSTING, notice=replace(NOTICE, tlp="TLP:RED"))
    assert redact([ITEM], Audience.CERT, red).heading.tlp == "RED"


def test_an_unknown_label_is_refused():
    with pytest.raises(RefusedError) as refused:
        redact([ITEM], Audience.HOST, replace(POSTING, notice=replace(NOTICE, tlp="PINK")))

    assert refused.value.code == "tlp"


@pytest.mark.parametrize("sign", ["\n", "\r", "\x00", "\x85", "\u2028", "\u202e", "\x1b"])
def test_an_address_that_cannot_be_printed_is_refused(sign):
    with pytest.raises(RefusedError) as refused:
        redact([replace(ITEM, url=f"http://bread.example/{sign}Loaf")], Audience.HOST, POSTING)

    assert refused.value.code == "control_characters"
    assert "bread.example" not in refused.value.message + refused.value.hint


def test_public_counts_join_small_cells_and_leave_out_the_smallest():
    many = (
        [ITEM] * 6
        + [replace(ITEM, country="FR")] * 3
        + [replace(ITEM, country_level=CountryLevel.SINGLE)] * 2
    )

    assert redact(many, Audience.PUBLIC, POSTING).totals == (("NL", 6), ("other", 5))
    assert redact(many[:9], Audience.PUBLIC, POSTING).totals == (("NL", 6),)
    assert redact(many[:4], Audience.PUBLIC, POSTING).totals == ()


@pytest.mark.parametrize(
    "reference", ["bread.example", "a b", "x\r\nBcc: a@b.example", "http://x", "", "a" * 70]
)
def test_a_case_reference_that_may_tell_something_is_replaced(reference):
    text = _rendered(Audience.HOST, Format.MAIL, ITEM, case_reference=reference)

    assert "Subject: [N-00000000] TLP:AMBER+STRICT" in text


@given(st.text(max_size=400))
def test_somebody_elses_fact_becomes_one_short_printable_line(fact):
    line = one_line(fact)

    assert line is None or (line.isprintable() and 0 < len(line) <= 200)


def test_json_lines_have_the_same_keys_for_each_audience():
    keys = {
        audience: set(
            json.loads(render(redact([ITEM], audience, POSTING), Format.JSONL).documents[0].content)
        )
        for audience in (Audience.HOST, Audience.POLICE, Audience.CERT)
    }

    assert len(set(map(frozenset, keys.values()))) == 1


def test_the_canary_reader_sees_into_encoded_parts():
    """The test of the test: a canary inside a base64 part must be found."""
    hidden = b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(
        b"loaf"
    )

    assert "loaf" in _clear_text(Format.MAIL, hidden)
