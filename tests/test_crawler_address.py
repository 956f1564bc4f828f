"""Addresses: one canonical form, hostile ones refused with a code, and forms made from them."""
# ruff: noqa: RUF001 - look-alikes and tables

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from caselog.errors import IntakeError
from crawler.reading.address import (
    AddressError,
    bare_host,
    canonical_url,
    directory,
    host_key,
    pattern,
    query_sibling,
    quickly_joined,
    sibling_probe,
    split,
)
from crawler.reading.defanged import defang, refang

TOKEN = "0123456789abcdef"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "scheme"),
        ("bread.example/path", "scheme"),
        ("ftp://bread.example/", "scheme"),
        ("javascript:alert(1)", "scheme"),
        ("data:text/html,x", "scheme"),
        ("file:///etc/hosts", "scheme"),
        ("http:bread.example", "no_host"),
        ("http://", "no_host"),
        ("http:///path", "no_host"),
        ("http://./", "no_host"),
        ("http://:80/", "no_host"),
        ("http://user@bread.example/", "userinfo"),
        ("http://user:pass@bread.example/", "userinfo"),
        ("http://bread.example\\@rye.example/", None),
        ("http://bread.example/\x00", "control_characters"),
        ("http://bread.example/a\nb", "control_characters"),
        ("http://bread.example/\ud800", "control_characters"),
        ("http://bread.example/" + "a" * 2083, "too_long"),
        ("http://bread.example/" + "é" * 500, "too_long"),
        ("http://bread.example:0/", "bad_port"),
        ("http://bread.example:65536/", "bad_port"),
        ("http://bread.example:99999999999/", "bad_port"),
        ("http://bread.example:x/", "bad_port"),
        ("http://bread.example:٣/", "bad_port"),
        ("http://[::1/", "bad_host"),
        ("http://[::1]x/", "bad_host"),
        ("http://[fe80::1%25eth0]/", "bad_host"),
        ("http://[rye]/", "bad_host"),
        ("http://bread..example/", "bad_host"),
        ("http://.bread.example/", "bad_host"),
        ("http://br ead.example/", "bad_host"),
        ("http://br%00ead.example/", "bad_host"),
        ("http://br%ffead.example/", "bad_host"),
        ("http://br<ead.example/", "bad_host"),
        ("http://xn--\u00fc.example/", "bad_host"),
        ("http://\u2488com/", "bad_host"),
        ("http://" + "a" * 64 + ".example/", "bad_host"),
        ("http://" + ".".join(["a" * 60] * 5) + "/", "bad_host"),
        ("http://1.2.3.4.5/", "bad_host"),
        ("http://256.1.1.1/", "bad_host"),
        ("http://4294967296/", "bad_host"),
        ("http://bread.1/", "bad_host"),
        ("http://1.0x/g", None),
        ("http://09.1/", "bad_host"),
        ("http://1..1/", "bad_host"),
    ],
)
def test_a_bad_address_is_refused_with_its_code(url: str, code: str | None) -> None:
    if code is None:
        assert canonical_url(url)
        return
    with pytest.raises(AddressError) as caught:
        canonical_url(url)

    assert caught.value.code == code
    assert isinstance(caught.value, IntakeError)
    assert "bread" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTP://Bread.EXAMPLE", "http://bread.example/"),
        (" https://bread.example./a ", "https://bread.example/a"),
        ("http://bread.example:80/", "http://bread.example/"),
        ("https://bread.example:443/", "https://bread.example/"),
        ("https://bread.example:080/", "https://bread.example:80/"),
        ("http://bread.example:8080/a#top", "http://bread.example:8080/a"),
        ("http://bread.example?t=1", "http://bread.example/?t=1"),
        ("http://bread.example/?", "http://bread.example/"),
        ("http://bread.example\\@rye.example/", "http://bread.example/@rye.example/"),
        ("http://bread.example/a/../b/./c/..", "http://bread.example/b/"),
        ("http://bread.example/%2e%2E/a", "http://bread.example/a"),
        ("http://bread.example/a//b", "http://bread.example/a//b"),
        ("http://bread.example/%7euser/%c3%a9?q=%2f", "http://bread.example/~user/%C3%A9?q=%2F"),
        ("http://bread.example/é ü?q=ä b", "http://bread.example/%C3%A9%20%C3%BC?q=%C3%A4%20b"),
        ("http://bread.example/100%", "http://bread.example/100%25"),
        ("http://bread.example/%%34%31", "http://bread.example/%2541"),
        ("http://bread.example/?b=2&a=1&sid=ab", "http://bread.example/?b=2&a=1&sid=ab"),
        ("http://BÜCHER.example/", "http://xn--bcher-kva.example/"),
        ("http://straße.example/", "http://xn--strae-oqa.example/"),
        ("http://bread。example/", "http://bread.example/"),
        ("http://rye_bread.example/", "http://rye_bread.example/"),
        ("http://2130706433/", "http://127.0.0.1/"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://0x7f000001/", "http://127.0.0.1/"),
        ("http://127.1/", "http://127.0.0.1/"),
        ("http://0177.0.0.01/", "http://127.0.0.1/"),
        ("http://１２７.0.0.1/", "http://127.0.0.1/"),
        ("http://192.0.2.1./", "http://192.0.2.1/"),
        ("http://[2001:DB8:0:0::1]:8080/", "http://[2001:db8::1]:8080/"),
        ("http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/"),
    ],
)
def test_the_canonical_form(url: str, expected: str) -> None:
    assert canonical_url(url) == expected


URLS = st.builds(
    lambda scheme, host, port, rest: f"{scheme}://{host}{port}{rest}",
    st.sampled_from(["http", "HTTPS", "https"]),
    st.one_of(
        st.sampled_from(
            ["bread.example", "Rye.Test.", "bücher.example", "192.0.2.7", "[2001:db8::1]", "3221225985"]
        ),
        st.text(alphabet="abcß-.0123xＡ。%", min_size=1, max_size=12),
    ),
    st.sampled_from(["", ":80", ":443", ":8080", ":"]),
    st.text(alphabet='/.%2eEfF41a?&=#\\ é~[]{}|"<>^`ſ+;', max_size=40),
)


@given(URLS)
def test_canonical_twice_is_canonical_once(url: str) -> None:
    try:
        once = canonical_url(url)
    except AddressError:
        assume(False)

    assert canonical_url(once) == once
    assert once.isascii()
    assert once.isprintable()
    assert " " not in once


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    for candidate in (text, "http://" + text, "http://bread.example/" + text):
        try:
            canonical_url(candidate)
        except AddressError as error:
            assert error.code  # noqa: PT017 - most texts are fine


@given(st.text(max_size=60))
def test_path_and_query_never_change_the_host(rest: str) -> None:
    try:
        url = canonical_url("http://bread.example:8080/" + rest)
    except AddressError:
        assume(False)

    assert host_key(url) == "bread.example:8080"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://bread.example/a", "bread.example"),
        ("https://bread.example/a", "bread.example"),
        ("http://bread.example:8080/", "bread.example:8080"),
        ("http://[2001:db8::1]:81/", "[2001:db8::1]:81"),
    ],
)
def test_the_key_of_a_site(url: str, expected: str) -> None:
    assert host_key(url) == expected


def test_the_bare_host_has_no_port() -> None:
    assert [bare_host(key) for key in ("a.example:81", "a.example", "[::1]:8", "[::1]")] == [
        "a.example",
        "a.example",
        "::1",
        "::1",
    ]


def test_parts_and_directory() -> None:
    assert split("http://a.example/b/c?d=e") == ("http", "a.example", "/b/c", "?d=e")
    assert split("http://a.example/") == ("http", "a.example", "/", "")
    assert directory("http://a.example/b/c?d=/e/") == "http://a.example/b/"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("http://bread.example/a.html", "hxxp://bread[.]example/a.html"),
        ("https://www.bread.example:81?x=1.2", "hxxps://www[.]bread[.]example:81?x=1.2"),
        ("bread.example", "bread[.]example"),
        ("http://[2001:db8::1]/", "hxxp://[2001[:]db8[:][:]1]/"),
    ],
)
def test_the_screen_form_is_no_link(value: str, expected: str) -> None:
    assert defang(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("hxxp://bread[.]example/a.html", "http://bread.example/a.html"),
        ("HXXPS://www(.)bread{.}example:81/?x=1[.]2", "https://www.bread.example:81/?x=1[.]2"),
        ("h**p[:]//bread[dot]example", "http://bread.example"),
        ("https[://]bread(dot)example/(.)", "https://bread.example/(.)"),
        ("http://bread[.]example/", "http://bread.example/"),
        ("hxxp://[2001[:]db8[:][:]1]/", "http://[2001:db8::1]/"),
    ],
)
def test_a_defanged_address_is_made_whole_in_its_host_only(value: str, expected: str) -> None:
    assert refang(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "http://bread.example/?at=oat[.]example",
        "http://[2001:db8::1]/",
        "ftp://bread[.]example/",
        "hxxp:bread",
        "bread[.]example",
        "",
    ],
)
def test_what_is_not_a_defanged_address_comes_back_as_it_is(value: str) -> None:
    assert refang(value) == value


@given(URLS)
def test_the_screen_form_of_an_address_leads_back_to_it(url: str) -> None:
    try:
        once = canonical_url(url)
    except AddressError:
        assume(False)

    assert refang(defang(once)) == once


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://a.example/", f"http://a.example/{TOKEN}"),
        ("http://a.example/b/c.html?x=1", f"http://a.example/b/{TOKEN}.html"),
        ("http://a.example/b/c", f"http://a.example/b/{TOKEN}"),
        ("http://a.example/b/c/", f"http://a.example/b/{TOKEN}/"),
    ],
)
def test_a_probe_keeps_the_shape(url: str, expected: str) -> None:
    assert sibling_probe(url, TOKEN) == expected


@pytest.mark.parametrize("token", ["", "abc", "0123456", "0123456G", "../../etc", "0123 5678"])
def test_a_weak_token_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="hex"):
        sibling_probe("http://a.example/", token)
    with pytest.raises(ValueError, match="hex"):
        query_sibling("http://a.example/?t=1", token)


@pytest.mark.parametrize(
    ("url", "head", "tail"),
    [
        ("http://a.example/viewtopic?t=12", "http://a.example/viewtopic?t=", ""),
        ("http://a.example/?p=3", "http://a.example/?p=", ""),
        ("http://a.example/v?f=2&start=20", "http://a.example/v?f=", "&start=20"),
        ("http://a.example/index.php?topic=12.0;sid=3", "http://a.example/index.php?topic=", ".0;sid=3"),
        ("http://a.example/v?start=20", "http://a.example/v?start=", ""),
    ],
)
def test_a_query_probe_is_absurd_but_a_small_integer(url: str, head: str, tail: str) -> None:
    probe = query_sibling(url, TOKEN)

    assert probe is not None
    number = int(probe.removeprefix(head).removesuffix(tail))
    assert 1_900_000_000 <= number < 2**31


def test_a_query_probe_of_words_is_the_token() -> None:
    assert query_sibling("http://a.example/v?id=rye", TOKEN) == f"http://a.example/v?id={TOKEN}"
    assert query_sibling("http://a.example/v", TOKEN) is None
    assert query_sibling("http://a.example/v?rye", TOKEN) is None


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("http://a.example/topic/12", "http://a.example/topic/4711"),
        ("http://a.example/v?t=1&f=2", "http://a.example/v?f=9&t=3"),
        ("http://a.example/threads/how-to-bake.12/", "http://a.example/threads/a-rye-bread-with-salt.9/"),
        ("http://a.example/t/12-rye-bread", "http://a.example/t/13-wheat-and-salt-again"),
        ("http://a.example/i.php?topic=12.0", "http://a.example/i.php?topic=7.20"),
        ("http://a.example/p/0a1b2c3d4e5f", "http://a.example/p/99aa88bb77cc"),
        ("http://a.example/2023/01/how-we-bake-rye.html", "http://a.example/2024/12/why-we-sift-flour.html"),
    ],
)
def test_pages_of_one_kind_share_a_pattern(first: str, second: str) -> None:
    assert pattern(first) == pattern(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("http://a.example/topic/12", "http://a.example/user/12"),
        ("http://a.example/v?t=1", "http://a.example/v?f=1"),
        ("http://a.example/m.php?mode=viewprofile", "http://a.example/m.php?mode=list"),
        ("http://a.example/a.php", "http://a.example/a.html"),
    ],
)
def test_pages_of_two_kinds_have_two_patterns(first: str, second: str) -> None:
    assert pattern(first) != pattern(second)


@given(st.text(alphabet="/abc-_.0123%?&=;", max_size=60))
def test_any_address_has_a_pattern_without_digits(rest: str) -> None:
    found = pattern(canonical_url("http://a.example/" + rest))

    assert not any(char.isdigit() for char in found) or "%" in found


@given(st.text(alphabet="/.?#%&=;\\ \tab2é", max_size=12))
def test_the_quick_way_to_an_address_ends_where_the_long_one_does(local: str) -> None:
    url = quickly_joined("http://bread.example", f"/{local}")

    assert url is None or url == canonical_url(f"http://bread.example/{local}")


def test_the_quick_way_takes_plain_paths_only() -> None:
    assert quickly_joined("http://bread.example", "/t/12?page=2") == "http://bread.example/t/12?page=2"
    assert quickly_joined("http://bread.example", "//rye.example/") is None
    assert quickly_joined("http://bread.example", "/" + "a" * 3000) is None
