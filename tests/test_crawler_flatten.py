"""Nothing that a browser shows is hidden from us, whether a page is read as it stands or made flat."""
# ruff: noqa: E501, SIM905 - tables of markup

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.reading.flatten import flatten
from crawler.reading.page import PageText, parse_page, read_page

URL = "http://bread.example/forum/topic"


def _flat(html: str) -> PageText:
    return parse_page(flatten(html), URL)


def _plain(html: str) -> PageText:
    return read_page(html, URL, "text/html")


READERS = pytest.mark.parametrize("read", [_plain, _flat], ids=["as it stands", "flat"])

SHOWN = [
    # what should hide text and does not
    "<!-->loaf<!-- -->",
    "<!--->loaf<!-- -->",
    "<!-- --!>loaf",
    "<!-- <!-- -->loaf",
    "<!--x--!>loaf<!-- -->",
    "<!>loaf",
    "</ >loaf",
    "</>loaf",
    "<?xml <p>loaf</p>",
    "<!DOCTYPE p '<p>'>loaf",
    "<![CDATA[ x >loaf",
    "<svg><text><![CDATA[loaf]]></text></svg>",
    "<math><mtext><![CDATA[loaf]]></mtext></math>",
    "<script><!-- </script>loaf<!-- -->",
    "<script><!--<script></script>x</script>loaf",
    "<style>/*</style>loaf/**/",
    "<style><a title='</style>loaf<b title='>",
    "<title></title>loaf",
    "<title>loaf",
    "<title><!--</title>loaf<!-- -->",
    "<textarea>loaf",
    "<textarea><script></textarea>loaf</script>",
    "<xmp><script></xmp>loaf",
    "<xmp>loaf</xmp>",
    "<plaintext>loaf</plaintext></html>",
    "<listing>loaf</listing>",
    "<noscript>loaf</noscript>",
    "<head><noscript><style></style>loaf</noscript>",
    "<noscript><!-- </noscript>loaf<!-- -->",
    "<noscript><p title='</noscript>loaf<!-- ' -->",
    "<noscript><style></noscript>loaf</style>",
    "<noscript><textarea></noscript>loaf",
    "<noembed><!--</noembed>loaf<!-- -->",
    "<iframe><!--</iframe>loaf<!-- -->",
    "<noembed>loaf</noembed>",
    "lo<script>x</script>af",
    "lo<style>x</style>af",
    "lo<template></template>af",
    "lo<noembed></noembed>af",
    "lo<link rel=x>af",
    "lo<meta name=x>af",
    "<noframes><p>loaf</noframes>",
    "<frameset><frame src=/x><noframes>loaf</noframes></frameset>",
    "<object data=/x>loaf</object>",
    "<video src=/x>loaf</video>",
    "<canvas>loaf</canvas>",
    "<applet><param name=x>loaf</applet>",
    "<svg><foreignObject><p>loaf</p></foreignObject></svg>",
    "<svg><text>loaf</text></svg>",
    "<svg><style></style></svg>loaf",
    "<svg></p><style></svg>x</style>loaf",
    "<svg><title><p>loaf</p></title></svg>",
    "<svg><desc><div>loaf</div></desc></svg>",
    "<math><mi>loaf</mi></math>",
    "<math><style>loaf</style></math>",
    "<math><script>loaf</script></math>",
    "<math><template>loaf</template></math>",
    "<math><annotation-xml encoding='text/html'><p>loaf</p></annotation-xml></math>",
    "<template>loaf</template>",
    "<template><template><p>loaf</p></template></template>",
    "<div><template shadowrootmode=open><p>loaf</p></template></div>",
    "<table><template><tr><td>loaf</td></tr></template></table>",
    "<iframe srcdoc='<p>loaf</p>'></iframe>",
    "<iframe srcdoc='&lt;p&gt;loaf&lt;/p&gt;'></iframe>",
    "<iframe srcdoc=\"<iframe srcdoc='<p>loaf</p>'></iframe>\"></iframe>",
    "<iframe srcdoc='<template><p>loaf</p></template>'></iframe>",
    "<style style='display:block'>loaf</style>",
    "<script style=display:block type=text/plain>loaf</script>",
    "<table>loaf<tr><td>x</td></tr></table>",
    "<table><tr>loaf<td>x</td></tr></table>",
    "<table><td><table><td>loaf",
    "<table><caption><table><tr>loaf",
    "<table><colgroup>loaf</colgroup></table>",
    "<select><option>loaf",
    "<select><select><option>loaf</select>",
    "<select><div>loaf</div></select>",
    "<select><table><tr><td>loaf</table></select>",
    "<select><optgroup label=x><option>loaf</optgroup></select>",
    "<button><button>loaf</button>",
    "<form><form>loaf</form></form>",
    "<a href='x>loaf</a>'>x</a><p>loaf</p>",
    "<p title='>'>loaf</p>",
    '<p title=">" \'>loaf</p>',
    '<p =">loaf</p>">loaf</p>',
    "<p/title=x/>loaf</p>",
    "<p\0x>loaf</p>",
    "lo\0af",
    "l&#111;a&#x66",
    "l&#111a&#x66;",
    "l&#0000111;af",
    "<b>lo</b>af",
    "lo<wbr>af",
    "lo<!-- x -->af",
    "lo<span></span>af",
    "lo<img src=x>af",
    "lo</b>af",
    "lo</div>af",
    "<div>lo</p></b></i>af</div>".replace("</p>", ""),
    "<table>lo<tr>af</table>",
    "lo<td>af",
    "lo</body></html>af",
    "lo<body class=x>af",
    "<form>lo<form>af</form>",
    "<dialog>loaf</dialog>",
    "<details><summary>x</summary>loaf</details>",
    "<div hidden>x</div>loaf",
    "<LOAF>loaf</LOAF>",
    "<p<b>loaf</p>",
    "<bread<loaf>loaf",
    "a < loaf > b",
    "<<b>loaf",
    "<3 loaf",
    "<body><head><title>x</title>loaf",
    "</br>loaf",
    "<image>loaf",
    "<isindex prompt=x>loaf",
    "<plaintext><script>loaf",
    "<pre>\nloaf\n\nx</pre>",
    "<ruby>x<rp>(</rp><rt>loaf</rt></ruby>",
    "<marquee>loaf</marquee>",
    "<a href=/x><a href=/y>loaf</a>",
    "<p><table><p>loaf",
    "<b><p>loaf</b></p>",
]


@READERS
@pytest.mark.parametrize("html", SHOWN)
def test_what_a_browser_shows_is_read(html: str, read: object) -> None:
    text = " ".join(read(html).blocks)  # type: ignore[operator]

    assert "loaf" in text.replace("\ufffd", "")


HIDDEN = [
    "<script>loaf</script>",
    "<style>loaf</style>",
    "<!-- loaf -->",
    "<!-- -- > loaf -->",
    "<p title=loaf>x</p>",
    "<!DOCTYPE loaf>",
    "<?loaf>",
    "<div><script>'<p>loaf</p>'</script></div>",
    "<!--loaf",
    "<script>loaf",
]


@READERS
@pytest.mark.parametrize("html", HIDDEN)
def test_what_no_browser_shows_is_left_out(html: str, read: object) -> None:
    assert "loaf" not in " ".join(read(html).blocks)  # type: ignore[operator]


LINKED = [
    "<a href=/x>x</a>",
    "<a title='<a href=/no>' href=/x>x</a>",
    "<a title=\" href='/no' \" href=/x href=/no>x</a>",
    "<A HREF = '/x'>x</A>",
    '<a href="/x">x</a>',
    '<a href="/x" >x</a>',
    "<a\nhref\n=\n/x\n>x</a>",
    "<a/href=/x>x</a>",
    "<p><a href=/no-is-here hidden></a><a href='/x'>x".replace("<a href=/no-is-here hidden></a>", ""),
    "<a href='/x?a=1&amp;b=2'>x</a>".replace("?a=1&amp;b=2", ""),
    "<a href=&#47;x>x</a>",
    "<svg><a href=/x><text>x</text></a></svg>",
    "<svg><style><a href=/x>x</a></style></svg>",
    "<math><mtext><a href=/x>x</a></mtext></math>",
    "<map><area href=/x></map>",
    "<iframe src=/x></iframe>",
    "<iframe srcdoc='<a href=/x>x</a>'></iframe>",
    "<template><a href=/x>x</a></template>",
    "<noscript><a href=/x>x</a></noscript>",
    "<noframes><a href=/x>x</a></noframes>",
    "<link rel=next href=/x>",
    "<meta http-equiv=refresh content='0;url=/x'>",
    "<base href='http://bread.example/b/'><base href='http://rye.example/'><a href=../x>x</a>",
    "<base href='javascript:1'><a href=/x>x</a>",
    "<table><a href=/x>x</a><tr><td>y</table>",
    "<select><a href=/no></a></select><a href=/x>x</a>".replace("<a href=/no></a>", ""),
    "<button><a href=/x>x</a></button>",
    "<object><a href=/x>x</a></object>",
    "<plaintext></plaintext>".replace("<plaintext></plaintext>", "<a href=/x>x</a><plaintext>"),
]


@READERS
@pytest.mark.parametrize("html", LINKED)
def test_each_link_is_found(html: str, read: object) -> None:
    assert [link.url for link in read(html).links] == ["http://bread.example/x"]  # type: ignore[operator]


NAMES = "a b i p li dd dt td tr th table tbody caption div span svg math mi text option select button object font pre ul dl h1 form template ruby marquee center nobr label section".split()


PIECES = st.lists(
    st.one_of(
        st.sampled_from([f"<{name}>" for name in NAMES] + [f"</{name}>" for name in NAMES]),
        st.just("word"),
        st.just("<a href=link>"),
    ),
    max_size=40,
)


def _numbered(pieces: list[str], repeat: int) -> str:
    html = "".join(pieces * repeat)
    count = 0
    while "word" in html:
        html = html.replace("word", f" w{count} ", 1)
        count += 1
    count = 0
    while "href=link" in html:
        html = html.replace("href=link", f"href=/n{count}", 1)
        count += 1
    return html


@settings(max_examples=60, deadline=None)
@given(PIECES, st.sampled_from([1, 3]))
def test_no_word_of_a_mis_nested_page_is_lost(pieces: list[str], repeat: int) -> None:
    html = _numbered(pieces, repeat)
    words = {word for word in html.replace("<", " <").replace(">", "> ").split() if word[0] == "w"}

    assert words <= set(" ".join(_flat(html).blocks).split())
    assert words <= set(" ".join(_plain(html).blocks).split())


@settings(max_examples=60, deadline=None)
@given(PIECES, st.sampled_from([1, 3]))
def test_a_flat_page_has_all_links_that_the_page_has(pieces: list[str], repeat: int) -> None:
    html = _numbered(pieces, repeat)

    assert {link.url for link in _plain(html).links} <= {link.url for link in _flat(html).links}


BLOCKS = st.recursive(
    st.sampled_from(["rye", "salt <b>and</b> water", "<a href=/x>oven</a>", "crust<br>crumb"]).map(
        lambda text: f"<p>{text}</p>"
    ),
    lambda inner: st.builds(
        lambda tag, parts: tag.replace("*", "".join(parts)),
        st.sampled_from(
            [
                "<div>*</div>",
                "<ul><li>*</li></ul>",
                "<table><tr><td>*</td><td>x</td></tr></table>",
                "<section>*</section>",
                "<blockquote>*</blockquote>",
                "<dl><dt>*</dt><dd>y</dd></dl>",
            ]
        ),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(BLOCKS)
def test_a_well_formed_page_has_the_same_blocks_and_links_flat(html: str) -> None:
    assert _flat(html) == _plain(html)


@pytest.mark.parametrize(
    "tag",
    "div span b font table blockquote ul><li p><b table><tr><td object template section svg><g a\thref=/x dl><dd button form nobr h1 center".split(
        " "
    ),
)
def test_a_deep_page_keeps_all_its_text(tag: str) -> None:
    html = "".join(f"<{tag}> w{level} " for level in range(3_000)).replace("\t", " ")

    assert " ".join(read_page(html, URL, "text/html").blocks).split() == [
        f"w{level}" for level in range(3_000)
    ]


def test_a_deep_page_keeps_its_links() -> None:
    html = "".join(f"<div><a href=/t{level}>x" for level in range(3_000))

    assert [link.url for link in read_page(html, URL, "text/html").links] == [
        f"http://bread.example/t{level}" for level in range(3_000)
    ]


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="<>/!-=\"' \tabpretilscy\0&;[]", max_size=120))
def test_any_text_is_made_flat(text: str) -> None:
    parse_page(flatten(text), URL)
