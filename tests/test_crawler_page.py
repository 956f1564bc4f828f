"""Reading: blocks as people see them, links to pages only, and no page that breaks the reader."""
# ruff: noqa: E501 - tables of markup

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caselog.errors import RefusedError
from crawler.reading.address import canonical_url
from crawler.reading.blocks import paragraphs
from crawler.reading.hrefs import LinkReader, PageBase
from crawler.reading.links import Hint
from crawler.reading.page import MAX_LINKS, PageText, read_page

URL = "http://bread.example/forum/topic?t=1"


def _read(text: str, url: str = URL, media_type: str = "text/html") -> PageText:
    return read_page(text, url, media_type)


def _urls(text: str) -> list[str]:
    return [link.url for link in _read(text).links]


@pytest.mark.parametrize(
    "html",
    [
        "<p " + "a=1 " * 60_000 + ">",
        "<b></b>" * 600_000,
        "<div>" * 501 + "<p " + "a=1 " * 60_000 + ">",
        "<iframe srcdoc='<p " + "a=1 " * 60_000 + ">'></iframe>",
        "<table><td" + " a" * 60_000 + ">" + "<i>x</i>" * 15_000,
    ],
    ids=["attributes", "tags", "attributes in the deep", "attributes in a frame", "attributes among tags"],
)
def test_a_bomb_is_refused_before_it_is_parsed(html: str) -> None:
    with pytest.raises(RefusedError) as caught:
        _read(html)

    assert caught.value.code == "parser_bomb"


@pytest.mark.parametrize(
    "html",
    [
        "<img src=/a.jpg srcset='/b.jpg 2x'>",
        "<video src=/a.mp4 poster=/b.jpg><source src=/c.webm></video>",
        "<audio src=/a.mp3></audio>",
        "<embed src=/a.swf><object data=/a.pdf></object>",
        "<link rel=icon href=/i.ico><link rel=stylesheet href=/s.css><link rel=preload href=/x>",
        "<link rel=alternate href=/feed>",
        "<form action=/search method=get><input name=q></form>",
        "<script src=/s.js></script><svg><image href=/a.png /></svg>",
        "<a href='javascript:x()'>x</a><a href=mailto:a@b.example>x</a><a href='data:text/html,x'>x</a>",
        "<a href='#top'>x</a><a href=''>x</a><a>x</a><a href='http:'>x</a><a href='http:/x'>y</a>",
        "<a href='http://user@bread.example/'>x</a><a href='http://bread.example:0/'>x</a>",
        "<!-- <a href=/x> --><script>'<a href=/x>'</script><style>'<a href=/x>'</style>",
        "<meta http-equiv=refresh content=5>",
        "<a href='" + "x" * 5_000 + "'>x</a>",
    ],
)
def test_what_is_no_link_to_a_page_gives_none(html: str) -> None:
    assert _urls(html) == []


@pytest.mark.parametrize(
    ("html", "url"),
    [
        ("<a href=/x>x</a>", "http://bread.example/x"),
        ("<a href=x>x</a>", "http://bread.example/forum/x"),
        ("<a href='../x#y'>x</a>", "http://bread.example/x"),
        ("<a href='?t=2'>x</a>", "http://bread.example/forum/topic?t=2"),
        ("<a href='//rye.example/x'>x</a>", "http://rye.example/x"),
        ("<a href='HTTPS://Rye.Example'>x</a>", "https://rye.example/"),
        ("<a href=' /x\ny '>x</a>", "http://bread.example/xy"),
        ("<a href='/x?a=1&amp;b=2'>x</a>", "http://bread.example/x?a=1&b=2"),
        ("<a href='\\x'>x</a>", "http://bread.example/x"),
        ("<a href='topic:12'>x</a><a href='./topic:12'>x</a>", "http://bread.example/forum/topic:12"),
        ("<map><area href=/x></map>", "http://bread.example/x"),
        ("<iframe src=/x></iframe>", "http://bread.example/x"),
        ("<frameset><frame src=/x></frameset>", "http://bread.example/x"),
        ("<link rel='canonical foo' href=/x>", "http://bread.example/x"),
        ("<meta http-equiv=Refresh content='0; URL=/x'>", "http://bread.example/x"),
        ("<meta http-equiv=refresh content=\"0;url='/x'\">", "http://bread.example/x"),
        ("<noscript><a href=/x>x</a></noscript>", "http://bread.example/x"),
        ("<iframe srcdoc='<a href=/x>x</a>'></iframe>", "http://bread.example/x"),
        ("<template><a href=/x>x</a></template>", "http://bread.example/x"),
        ("<base href='http://rye.example/b/c'><a href=x>x</a>", "http://rye.example/b/x"),
        ("<base href='/b/'><a href=x>x</a>", "http://bread.example/b/x"),
        ("<base href='javascript:x'><a href=x>x</a>", "http://bread.example/forum/x"),
    ],
)
def test_a_link_is_made_absolute(html: str, url: str) -> None:
    assert _urls(html) == [url]


def test_each_address_comes_once_in_order() -> None:
    assert _urls("<a href=/b>1</a><a href=/a>2</a><a href='/b#c'>3</a><a href=//bread.example/b>4</a>") == [
        "http://bread.example/b",
        "http://bread.example/a",
    ]


def test_links_are_capped() -> None:
    assert len(_urls("".join(f"<a href=/{n}>x</a>" for n in range(MAX_LINKS + 50)))) == MAX_LINKS


def test_a_flood_of_links_hides_no_other_kind_and_no_end() -> None:
    flood = [f"<a href=/tag/{number}>x</a>" for number in range(60_000)]
    threads = [f"<a href=/thread-{number}.html>x</a>" for number in range(30)]

    urls = _urls("".join(flood[:30_000] + threads + flood[30_000:]))

    assert len(urls) == MAX_LINKS
    assert {f"http://bread.example/thread-{number}.html" for number in range(30)} <= set(urls)
    assert urls[0] == "http://bread.example/tag/0"
    assert urls[-1] == "http://bread.example/tag/59999"
    assert [int(url.rpartition("/")[2]) // 20_000 for url in urls if "tag" in url].count(1) > MAX_LINKS // 4


def test_a_flood_of_different_shapes_is_thinned_evenly() -> None:
    names = ["".join(chr(97 + int(digit)) for digit in f"{number:06}") for number in range(20_000)]

    urls = _urls("".join(f"<a href=/{name}>x</a>" for name in names))

    assert len(urls) == MAX_LINKS
    assert urls[0] == f"http://bread.example/{names[0]}"
    assert urls[-1] == f"http://bread.example/{names[-1]}"


def test_links_that_stand_in_links_are_worded_within_bounds() -> None:
    """Each of them holds the whole rest of the page."""
    page = _read("".join(f"<a href=/{number}><object>" for number in range(240)) + "rye " * 100_000)

    assert [link.hint for link in page.links] == [Hint.NONE] * 240


@pytest.mark.parametrize(
    "href",
    [
        "javascript:location='/x'",
        "JaVaScRiPt:x",
        " javascript:x",
        "java\nscript:x",
        "java\tscript:x",
        "&#106;avascript:x",
        "\x01javascript:x",
        "vbscript:x",
        "data:text/html,x",
        "mailto:baker@bread.example",
        "blob:http://bread.example/1",
        "about:blank",
        "view-source:http://bread.example/",
        "filesystem:http://bread.example/x",
        "file:///etc/hosts",
        "ftp://bread.example/x",
        "tel:1",
        "magnet:?xt=1",
        "ws://bread.example/x",
        "http://user@bread.example/",
        "http://user:word@bread.example/",
        "http://bread.example@rye.example/",
        "//user@rye.example/",
        "\\\\user@rye.example",
        "http:\\\\user@rye.example/",
        "http://",
        "http:///",
        "http://bread.example:99999/",
        "http://[::1",
        "http://bread..example/",
        "http://bread example/",
        "http://bread%00.example/",
        "/" + "x" * 5_000,
        "?" + "x" * 5_000,
    ],
)
def test_an_address_that_is_no_page_is_left_out(href: str) -> None:
    assert _urls(f'<a href="{href}">x</a>') == []


@pytest.mark.parametrize(
    ("href", "url"),
    [
        ("/a\tb\nc", "http://bread.example/abc"),
        ("\n/x\n", "http://bread.example/x"),
        ("ht\ntp://rye.example/x", "http://rye.example/x"),
        ("\\\\rye.example\\x", "http://rye.example/x"),
        ("/\\rye.example/x", "http://rye.example/x"),
        ("\\/rye.example/x", "http://rye.example/x"),
        ("http:\\\\rye.example\\x", "http://rye.example/x"),
        ("a\\..\\b", "http://bread.example/forum/b"),
        ("/x?a=b\\c", "http://bread.example/x?a=b%5Cc"),
        ("http://BÄCKER.example/", "http://xn--bcker-gra.example/"),
        ("http://br\u0435ad.example/", "http://xn--brad-w4d.example/"),
        ("http://\u0430pple.example/", "http://xn--pple-43d.example/"),
        ("http://rye\u3002example/", "http://rye.example/"),
        ("http://rye.example./", "http://rye.example/"),
        ("http://rye.example:80/", "http://rye.example/"),
        ("https://rye.example:443/", "https://rye.example/"),
        ("//rye.example", "http://rye.example/"),
        ("///rye.example/x", "http://rye.example/x"),
        ("http:////rye.example/x", "http://rye.example/x"),
    ],
)
def test_an_odd_address_is_read_as_a_browser_would(href: str, url: str) -> None:
    assert _urls(f'<a href="{href}">x</a>') == [url]


@pytest.mark.parametrize(
    ("bases", "url"),
    [
        ("<base href='data:text/html,x'>", "http://bread.example/forum/x"),
        ("<base href='mailto:a@rye.example'>", "http://bread.example/forum/x"),
        ("<base href='http://user@rye.example/'>", "http://bread.example/forum/x"),
        ("<base href='//rye.example/b/'>", "http://rye.example/b/x"),
        ("<base target=x><base href=/b/><base href=/c/>", "http://bread.example/b/x"),
        ("<base href='javascript:1'><base href=/c/>", "http://bread.example/forum/x"),
        ("<base href=/b/>" + "<base href=/c/>" * 1_000, "http://bread.example/b/x"),
        ("<p><base href=/b/>", "http://bread.example/b/x"),
        ("<base href='?q'>", "http://bread.example/forum/x"),
        ("<base href=''>", "http://bread.example/forum/x"),
    ],
)
def test_the_first_base_that_a_browser_takes_counts(bases: str, url: str) -> None:
    assert _urls(f"{bases}<a href=x>x</a>") == [url]


def test_the_kinds_of_links() -> None:
    page = _read(
        "<link rel=canonical href=/topic/1><link rel=next href='?t=1&p=2'><meta http-equiv=refresh content='9;/r'>"
        "<iframe src=/f></iframe><a href=/topic/1>x</a>"
    )

    assert page.canonical == "http://bread.example/topic/1"
    assert page.refresh == "http://bread.example/r"
    assert {link.kind for link in page.links} == {"anchor", "next", "refresh", "frame"}
    assert [link.is_next for link in page.links].count(True) == 1


def test_wording_becomes_a_hint_over_all_links_to_an_address() -> None:
    page = _read(
        "<a href=/p2>2</a><a href=/p2 rel='Next nofollow'>Next</a><a href=/l>Like</a><a href=/t>Rye</a><a href=/t>Reply</a>"
    )
    found = {link.url.rpartition("/")[2]: (link.hint, link.rel) for link in page.links}

    assert found == {"p2": (Hint.NEXT, ("next", "nofollow")), "l": (Hint.STATE, ()), "t": (Hint.NONE, ())}


@pytest.mark.parametrize(
    ("html", "blocks"),
    [
        ("<title>Rye</title><p>one<p>two", ("Rye", "one", "two")),
        ("<div>a<div>b</div>c</div>d", ("a", "b", "c", "d")),
        ("<p>one <b>two</b><i>three</i><br>four &amp; five", ("one twothree four & five",)),
        ("<ul><li>a<li>b</ul>", ("a", "b")),
        ("<table><tr><td>a<td>b<tr><td>c</table>", ("a", "b", "c")),
        ("a<script>b</script><style>c</style><!-- e -->f", ("af",)),
        ("a<template>b<i>c</i></template>d", ("ad", "bc")),
        ("one<!-- two -->three", ("onethree",)),
        ("<noscript><p>post</p></noscript>", ("post",)),
        ("<head><noscript><img src=x><p>post</noscript></head>", ("post",)),
        ("<post-body>a</post-body>b", ("a", "b")),
        ("<pre>a\nb\n\nc</pre>d", ("a b", "c", "d")),
        ("<pre>a<br><br>b</pre>", ("a", "b")),
        ("<textarea>paste\n\nmore</textarea>", ("paste", "more")),
        ("<select><option>a<option>b</select>", ("a", "b")),
        ("<iframe>x</iframe><noembed>y</noembed><noframes><p>z</noframes>", ("y", "z")),
        ("<p> \u00a0 </p>", ()),
        ("", ()),
    ],
)
def test_blocks_are_cut_at_block_level_tags(html: str, blocks: tuple[str, ...]) -> None:
    assert _read(html).blocks == blocks


def test_plain_text_is_cut_at_blank_lines_and_not_parsed() -> None:
    page = _read("rye <b>\nbread\r\n \r\nsalt", media_type="text/plain")

    assert page == PageText(blocks=("rye <b> bread", "salt"))


def test_long_preformatted_text_is_cut_at_lines_and_loses_nothing() -> None:
    lines = [f"line {n}" for n in range(500)]
    found = list(paragraphs("\n".join(lines)))

    assert " ".join(found) == " ".join(lines)
    assert 10 < len(found) < 100


def test_a_password_field_is_seen() -> None:
    assert _read("<input type=Password>").has_password_field
    assert not _read("<input type=text>").has_password_field


def test_a_shell_has_scripts_and_almost_no_text() -> None:
    assert _read("<div id=app></div><script src=/a.js></script>").is_shell
    assert not _read("<div id=app></div>").is_shell
    assert not _read("<p>" + "rye bread " * 50 + "<script></script>").is_shell
    assert not _read("<a href=/a>a</a><a href=/b>b</a><a href=/c>c</a><script></script>").is_shell


def test_lone_surrogates_do_not_stop_the_reader() -> None:
    assert _read("<p>rye \ud800 bread</p>").blocks == ("rye ? bread",)


def test_the_reader_forgets_the_oldest() -> None:
    reader = LinkReader(size=2)
    base = PageBase.of(URL)

    found = [reader.resolve(href, base) for href in ("/a", "/b", "/c", "/a", "x:y")]

    assert found == [*(f"http://bread.example/{name}" for name in "abca"), None]
    assert len(reader._known) == 2


def test_the_reader_tells_sites_directories_and_pages_apart() -> None:
    reader = LinkReader()
    bases = [PageBase.of(url) for url in (URL, "http://rye.example/a/b", "http://bread.example/other/x")]

    assert [reader.resolve("x", base) for base in bases] == [
        "http://bread.example/forum/x",
        "http://rye.example/a/x",
        "http://bread.example/other/x",
    ]
    assert reader.resolve("/x", bases[1]) == "http://rye.example/x"
    assert reader.resolve("?a", bases[2]) == "http://bread.example/other/x?a"


PIECES = st.sampled_from(
    ["<p>", "</p>", "<a href='", "/x", "'>", "</a>", "<table>", "<td>", "<b>", "</b>", "<pre>", "\n\n", "rye", " ", "<svg>",
     "<title>", "</title>", "<noscript>", "<template>", "<select>", "<option>", "<!--", "-->", "<base href=//>", "&#0;", "\0",
     "<script>", "</script>", "<textarea>", "<frameset>", "<plaintext>", "http://[", "?", "\ud800"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=40))
def test_any_page_is_read(pieces: list[str]) -> None:
    page = _read("".join(pieces))

    assert all(block == " ".join(block.split()) != "" for block in page.blocks)
    assert all(canonical_url(link.url) == link.url for link in page.links)
    assert len({link.url for link in page.links}) == len(page.links)


KNOWN_PAGE = """<head><link rel=canonical href=/loaf><link rel=next href=/loaf?page=2></head><body><a href=/rye>Rye</a>
<a href=/new>New</a><a href=/loaf>Loaf</a><a href=//other.example/>Other</a><iframe src=/frame></iframe>"""


def test_known_addresses_of_the_site_are_left_out_and_all_others_stay() -> None:
    whole = read_page(KNOWN_PAGE, "http://bread.example/", "text/html")
    known = {link.url for link in whole.links} - {"http://bread.example/new"}

    found = read_page(KNOWN_PAGE, "http://bread.example/", "text/html", known=known)

    assert {(link.kind, link.url) for link in whole.links} - {
        (link.kind, link.url) for link in found.links
    } == {
        ("anchor", "http://bread.example/rye"),
        ("anchor", "http://bread.example/loaf"),
        ("frame", "http://bread.example/frame"),
    }
    assert (found.blocks, found.canonical) == (whole.blocks, whole.canonical)


def test_known_links_do_not_make_a_page_a_shell() -> None:
    text = "<script>bake()</script>" + "".join(f"<a href=/{n}>{n}</a>" for n in range(5))
    known = {f"http://bread.example/{n}" for n in range(5)}

    assert not read_page(text, "http://bread.example/", "text/html", known=known).is_shell
    assert read_page(text[:50], "http://bread.example/", "text/html", known=known).is_shell


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("<div>rye</div>bread", ("rye", "bread")),
        ("<div>rye</div> <i>bread</i>", ("rye", "bread")),
        ("<div>rye<script>x</script></div>bread", ("rye", "bread")),
        ("<p><b>rye</b> <i>bread</i></p> salt", ("rye bread", "salt")),
        ("<div>rye<b>crust<div>salt</div>oven</b>bread</div>", ("ryecrust", "salt", "ovenbread")),
        ("<pre>rye<b>bread</b></pre>salt", ("ryebread", "salt")),
        ("<svg><script><g>rye</g></script></svg>bread", ("bread",)),
    ],
)
def test_blocks_end_where_their_element_ends(text: str, blocks: tuple[str, ...]) -> None:
    assert read_page(text, "http://bread.example/", "text/html").blocks == blocks


def test_a_base_elsewhere_does_not_hide_known_addresses_of_that_host() -> None:
    text = "<base href=http://rye.example/><a href=/loaf>Loaf</a>"

    found = read_page(text, "http://bread.example/", "text/html", known={"http://rye.example/loaf"})

    assert [link.url for link in found.links] == ["http://rye.example/loaf"]
