"""What may be asked, and what is text."""

# ruff: noqa: RUF001  # pages are written in many scripts

from __future__ import annotations

import base64
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from crawler.transport.admission import NotTextError, TextProof, admit_headers, admit_url, cut_data_uris
from crawler.transport.charset import canonical_charset
from tests.servers.hostile import NOISE, page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LIMIT = 2 * 1024 * 1024


def prove(body: bytes, declared: str | None = None, piece_bytes: int = 1400) -> str:
    proof = TextProof(declared, limit_bytes=LIMIT)
    for place in range(0, len(body), piece_bytes):
        proof.feed(body[place : place + piece_bytes])
    return proof.finish()


# ---- addresses


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://bread.example/", "scheme"),
        ("file:///etc/hostname", "scheme"),
        ("data:text/html,bread", "scheme"),
        ("javascript:bake()", "scheme"),
        ("//bread.example/", "scheme"),
        ("bread", "scheme"),
        ("http://", "bad_url"),
        ("http:///bread", "bad_url"),
        ("http://baker@bread.example/", "bad_url"),
        ("http://baker:rye@bread.example/", "bad_url"),
        ("http://bread.example:0/", "bad_url"),
        ("http://bread.example:99999/", "bad_url"),
        ("http://bread.example:rye/", "bad_url"),
        ("http://[::1/", "bad_url"),
        ("http://bread.example/\r\nHost: rye.example", "bad_url"),
        ("http://bread.example/a b", "bad_url"),
        ("http://bread.example\\@rye.example/", "bad_url"),
        ("http://bread.example/" + "a" * 2083, "bad_url"),
        ("http://bread.example/oven.jpg", "media_type"),
        ("http://bread.example/oven.JPEG?size=9", "media_type"),
        ("https://bread.example/a/film.webm#t", "media_type"),
        ("http://127.0.0.1/", "private_address"),
        ("http://127.1/", "private_address"),
        ("http://2130706433/", "private_address"),
        ("http://0x7f000001/", "private_address"),
        ("http://0x7f.1/", "private_address"),
        ("http://10.0.0.1./", "private_address"),
        ("http://[::1]/", "private_address"),
        ("http://[fe80::1%25eth0]/", "private_address"),
        ("http://[::ffff:10.0.0.1]/", "private_address"),
    ],
)
def test_an_address_that_must_not_be_asked_is_refused(url: str, code: str) -> None:
    assert admit_url(url, practice=False) == code


@pytest.mark.parametrize(
    "url",
    [
        "http://bread.example/",
        "https://bread.example:8443/thread.php?t=7&page=2",
        "http://bread.example/v1.2/",
        "http://bread.example/show?file=oven.jpg",
        "http://1.1.1.1/",
        "http://bread.example/.png",
    ],
)
def test_an_ordinary_address_may_be_asked(url: str) -> None:
    assert admit_url(url, practice=False) is None


def test_a_practice_workspace_asks_loopback_literals() -> None:
    assert admit_url("http://127.0.0.1:8080/", practice=True) is None


@given(st.text())
def test_any_text_as_an_address_gets_an_answer(text: str) -> None:
    assert admit_url(text, practice=False) in {None, "scheme", "bad_url", "media_type", "private_address"}


# ---- headers


def headers(*pairs: tuple[str, str]) -> CIMultiDict[str]:
    return CIMultiDict(pairs)


@pytest.mark.parametrize(
    ("pairs", "code"),
    [
        ([("Content-Type", "image/png")], "media_type"),
        ([("Content-Type", "text/html"), ("content-type", "image/png")], "media_type"),
        ([("Content-Type", "text/html, image/png")], "media_type"),
        ([("Content-Type", "")], "media_type"),
        ([("Content-Type", "text/html"), ("Content-Disposition", "attachment")], "attachment"),
        ([("Content-Type", "text/html"), ("Content-Disposition", "form-data")], "attachment"),
        ([("Content-Disposition", "inline; filename=\"oven.mp4\"")], "attachment"),
        ([("Content-Disposition", "inline; filename*=UTF-8''oven.jpg")], "attachment"),
        ([("Content-Disposition", "inline; filename=oven.html; filename*=UTF-8''oven.jpg")], "attachment"),
        ([("Content-Type", "text/html"), ("Content-Encoding", "br")], "encoding"),
        ([("Content-Encoding", "gzip"), ("Content-Encoding", "gzip")], "encoding"),
        ([("Content-Type", "text/html"), ("Content-Length", str(LIMIT + 1))], "too_large"),
        ([("Content-Type", "text/html"), ("Content-Length", "9" * 5000)], "too_large"),
    ],
)  # fmt: skip
def test_headers_that_promise_no_text_are_refused(pairs: list[tuple[str, str]], code: str) -> None:
    assert admit_headers(headers(*pairs), limit_bytes=LIMIT).refused == code


def test_headers_of_a_page_give_type_charset_and_encoding() -> None:
    verdict = admit_headers(
        headers(("Content-Type", 'Text/HTML; Charset="koi8-r"'), ("Content-Encoding", "gzip")),
        limit_bytes=LIMIT,
    )

    assert (verdict.refused, verdict.media_type, verdict.charset, verdict.is_gzip) == (
        None, "text/html", "koi8-r", True,
    )  # fmt: skip


def test_a_missing_type_is_left_to_the_bytes() -> None:
    assert admit_headers(headers(), limit_bytes=LIMIT).refused is None


def test_a_nonsense_type_is_not_kept_for_the_record() -> None:
    verdict = admit_headers(headers(("Content-Type", "http://bread.example/rye")), limit_bytes=LIMIT)

    assert verdict.media_type is None


# ---- honest text

RYE = {
    "en": "The dough rests overnight in a cool place; bake it with steam – 45 minutes. “Done” ",
    "fr": "La pâte lève pendant la nuit dans un endroit frais ; le goût s’améliore, naïvement. ",
    "de": "Über Nacht gärt der Teig kühl, danach wird er für fünfzig Minuten heiß gebacken. ",
    "pl": "Ciasto odpoczywa całą noc w chłodnym miejscu, później pieczemy je pięćdziesiąt minut. ",
    "ru": "Тесто отдыхает ночь в прохладном месте, потом его выпекают пятьдесят минут. ",
    "el": "Το ζυμάρι ξεκουράζεται όλη τη νύχτα σε δροσερό μέρος και ψήνεται πενήντα λεπτά. ",
    "he": "הבצק נח כל הלילה במקום קריר ואחר כך נאפה חמישים דקות. ",
    "ar": "ترتاح العجينة طوال الليل في مكان بارد، ثم تخبز خمسين دقيقة. ",
    "th": "แป้งพักค้างคืนในที่เย็น แล้วอบห้าสิบนาที ",
    "tr": "Hamur gece boyunca serin bir yerde dinlenir, sonra elli dakika pişirilir; güzel ışık. ",
    "ja": "生地は涼しい場所で一晩休ませてから、五十分ほど焼きます。パンの香りがとてもよいです。",
    "zh": "面团在阴凉的地方放一夜，然后烤五十分钟。这是我们的面包，味道很好，大家都说不错。",
    "zh-tw": "麵團在陰涼的地方放一夜，然後烤五十分鐘。這是我們的麵包，味道很好，大家都說不錯。",
    "ko": "반죽은 서늘한 곳에서 하룻밤 쉬게 한 다음 오십 분 동안 굽습니다. 빵이 참 맛있습니다. ",
    "hi": "आटा रात भर ठंडी जगह पर रखा जाता है, फिर पचास मिनट तक पकाया जाता है। ",
    "ka": "ცომი ღამით გრილ ადგილას ისვენებს, შემდეგ ორმოცდაათი წუთი ცხვება. ",
    "emoji": "Bread 🍞 done 👩🏽‍🍳 — 🏴󠁧󠁢󠁳󠁣󠁴󠁿 scones, too. ",
}
LEGACY = [
    ("en", "windows-1252"), ("fr", "windows-1252"), ("de", "iso-8859-1"), ("de", "iso-8859-15"),
    ("pl", "iso-8859-2"), ("pl", "windows-1250"), ("ru", "windows-1251"), ("ru", "koi8-r"),
    ("ru", "koi8-u"), ("ru", "iso-8859-5"), ("ru", "ibm866"), ("ru", "x-mac-cyrillic"),
    ("el", "iso-8859-7"), ("el", "windows-1253"), ("he", "windows-1255"), ("he", "iso-8859-8-i"),
    ("ar", "windows-1256"), ("th", "windows-874"), ("th", "tis-620"), ("tr", "windows-1254"),
    ("tr", "iso-8859-9"), ("ja", "shift_jis"), ("ja", "euc-jp"), ("ja", "iso-2022-jp"),
    ("zh", "gb2312"), ("zh", "gbk"), ("zh", "gb18030"), ("zh-tw", "big5"), ("ko", "euc-kr"),
    ("hi", "utf-16le"), ("ja", "utf-16be"), ("fr", "macintosh"),
]  # fmt: skip


def written(language: str, charset: str, *, meta: str | None = None) -> bytes:
    tag = f'<meta charset="{meta}">' if meta else ""
    text = (
        f"<html><head>{tag}<title>{RYE[language][:20]}</title></head>\n" + (RYE[language] * 12 + "<br>\n") * 9
    )
    codec = {"x-mac-cyrillic": "mac-cyrillic", "iso-8859-8-i": "iso-8859-8", "macintosh": "mac-roman",
             "windows-874": "cp874", "shift_jis": "cp932"}.get(charset, charset)  # fmt: skip
    return text.encode(codec, "ignore")


@pytest.mark.parametrize("language", RYE)
@pytest.mark.parametrize("declared", ["utf-8", None, "iso-8859-1", "nonsense"])
def test_utf8_passes_whatever_is_declared(language: str, declared: str | None) -> None:
    charset = prove(written(language, "utf-8"), declared)

    assert charset == "utf-8" or declared == "iso-8859-1"


@pytest.mark.parametrize("language", RYE)
@pytest.mark.parametrize("charset", ["utf-16", "utf-32"])
def test_wide_text_with_a_mark_passes(language: str, charset: str) -> None:
    assert prove(written(language, charset)).startswith(charset)


@pytest.mark.parametrize(("language", "charset"), LEGACY)
def test_text_in_its_declared_charset_passes(language: str, charset: str) -> None:
    assert prove(written(language, charset), charset) == canonical_charset(charset)


@pytest.mark.parametrize(
    ("language", "charset"),
    [pair for pair in LEGACY if not pair[1].startswith("utf-16")],
)
def test_text_that_names_its_charset_in_the_page_passes(language: str, charset: str) -> None:
    assert prove(written(language, charset, meta=charset)) == canonical_charset(charset)


@pytest.mark.parametrize(
    ("language", "charset"),
    [("fr", "cp1252"), ("de", "cp1252"), ("ru", "cp1251"), ("ru", "koi8-r"), ("ja", "cp932"),
     ("ja", "euc_jp"), ("ko", "cp949"), ("zh", "gb18030"), ("zh-tw", "big5hkscs")],
)  # fmt: skip
def test_text_that_declares_nothing_is_guessed(language: str, charset: str) -> None:
    assert prove(written(language, charset)) == charset


@pytest.mark.parametrize("language", ["ru", "ja", "fr"])
def test_a_few_characters_cut_in_half_are_no_refusal(language: str) -> None:
    whole = written(language, "utf-8")
    at = len(whole) // 2
    while whole[at] < 0xC0:
        at += 1

    assert prove(whole[: at + 1] + b" ... " + whole, "utf-8") == "utf-8"


@pytest.mark.parametrize(
    "body",
    [
        page(30_000),
        b"Recipes\n\x0c\nSourdough\n\x0c\n" * 200,
        "".join(f"\x1b[{n % 8 + 30}m░▒▓ bread █\x1b[0m\n" for n in range(300)).encode(),
        b"<p>\xc2\xa0Steam</p>" * 500,
        ("<i>\ue0a1</i> Fold the dough and wait for half an hour before you fold it again. " * 80).encode(),
        b"http://" + b"a2345672" * 7 + b".onion/thread\n" * 200,
        b"<script>var font='" + base64.b64encode(NOISE[:40_000]) + b"'</script>" + page(3000),
        b'<input type="hidden" name="__VIEWSTATE" value="'
        + base64.b64encode(NOISE[:60_000])
        + b'">'
        + page(3000),
        b'<img src="data:image/png;base64,' + base64.b64encode(NOISE[:60_000]) + b'">' + page(3000),
        b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n" + base64.encodebytes(NOISE[:2400]) + page(2000),
        b"GIF89a is how such a file begins, says the book about pictures of bread. " * 20,
        b"",
        b"x",
        b"\xef\xbb\xbf",
    ],
    ids=lambda body: repr(body[:18]),
)
def test_odd_but_honest_text_passes(body: bytes) -> None:
    assert prove(body) == "utf-8"


@pytest.mark.parametrize("piece_bytes", [1, 3, 700, 2048])
@pytest.mark.parametrize("charset", ["utf-16", "utf-32", "windows-1251"])
def test_the_charset_does_not_hang_on_how_the_network_cut_the_page(charset: str, piece_bytes: int) -> None:
    """The first piece may be a single byte of the byte order mark."""
    body = ("<p>Хлеб, сад и модели поездов. " * 60).encode(charset)

    assert prove(body, piece_bytes=piece_bytes) == prove(body, piece_bytes=len(body))


# ---- what is no text


@pytest.mark.parametrize(
    "declared", [None, "utf-8", "windows-1252", "koi8-r", "shift_jis", "gb18030", "utf-16"]
)
@pytest.mark.parametrize("seed", range(4))
def test_noise_is_refused_within_a_kilobyte(declared: str | None, seed: int) -> None:
    proof = TextProof(declared, limit_bytes=LIMIT)

    with pytest.raises(NotTextError) as refusal:
        proof.feed(random.Random(seed).randbytes(1024))

    assert (refusal.value.code, bytes(proof.body)) == ("binary", b"")


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.b85encode, base64.a85encode])
def test_media_in_letters_are_refused_whatever_the_length_of_their_lines(
    encode: Callable[[bytes], bytes], line_end: bytes
) -> None:
    """A look at a sample of the bytes must not miss lines that are as long as its step."""
    letters = encode(random.Random(7).randbytes(12_000))

    for width in range(28, 130):
        lines = line_end.join(letters[start : start + width] for start in range(0, len(letters), width))
        with pytest.raises(NotTextError):
            prove(b"<html><body><pre>" + lines + b"</pre>")


def test_a_body_over_its_limit_is_refused_and_dropped() -> None:
    proof = TextProof("utf-8", limit_bytes=1000)
    proof.feed(page(1000))

    with pytest.raises(NotTextError) as refusal:
        proof.feed(b"x")

    assert (refusal.value.code, len(proof.body)) == ("too_large", 0)


def test_a_refusal_never_quotes_the_body() -> None:
    with pytest.raises(NotTextError) as refusal:
        prove(b"bread and butter \x00\x01\x02\x03")

    assert "bread" not in str(refusal.value)


@given(st.binary(max_size=3000), st.sampled_from([None, "utf-8", "windows-1252", "shift_jis", "koi8-r"]),
       st.integers(1, 700))  # fmt: skip
def test_bytes_are_text_or_refused_and_nothing_else(body: bytes, declared: str | None, size: int) -> None:
    try:
        charset = prove(body, declared, piece_bytes=size)
    except NotTextError:
        return

    assert canonical_charset(charset) == charset
    assert body.count(b"\x00") == 0 or charset.startswith("utf-") or len(body) > 512


@given(st.text(st.characters(exclude_categories=("Cs", "Cc", "Co", "Cn"))), st.integers(1, 50))
def test_any_printable_utf8_passes_however_it_is_cut(text: str, size: int) -> None:
    assert prove(text.encode(), "utf-8", piece_bytes=size) == "utf-8"


# ---- data: URIs


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ('<img src="data:image/png;base64,iVBORw0KGgo=">', '<img src="data:,">'),
        ("<img src='DATA:image/png;base64,iVBORw0KGgo='>", "<img src='data:,'>"),
        ("<img src='DAta:image/png;base64,iVBORw0KGgo='>", "<img src='data:,'>"),
        ("url(data:font/woff2;charset=utf-8;base64,d09GMg==)", "url(data:,)"),
        ("data:,Bread%20and%20butter is it", "data:, is it"),
        ("The data: bread, rye, spelt", "The data: bread, rye, spelt"),
        ("data:,面包", "data:,面包"),
        ("no such thing", "no such thing"),
    ],
)
def test_data_uris_are_cut_out(text: str, cut: str) -> None:
    assert cut_data_uris(text) == cut


@given(st.text(), st.binary(min_size=30))
def test_no_payload_of_a_data_uri_is_left(text: str, payload: bytes) -> None:
    letters = base64.b64encode(payload).decode()

    assert letters not in cut_data_uris(f'{text}<img src="data:image/png;base64,{letters}">')


@given(st.lists(st.sampled_from(["data:", "DATA:", ";", ",", "a/b", "base64", "x", '"'])))
def test_cutting_twice_changes_nothing(parts: Iterable[str]) -> None:
    once = cut_data_uris("".join(parts))

    assert cut_data_uris(once) == once
