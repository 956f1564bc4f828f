"""The pre-scan: what costs a parser much is not easy, honest pages are, and no tag is missed."""
# ruff: noqa: E501, SIM905 - word lists read better

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser

from crawler.reading import prescan
from crawler.reading.prescan import BOMB_ATTRIBUTES, EASY_TAGS, MAX_ATTRIBUTES, MAX_DEPTH, Weight, weigh

SIZE = 256 * 1024
MANY = 30_000


def _fonts(count: int) -> str:
    return "".join(f"<font size={number}>" for number in range(count))


BOMBS = {
    "one tag with many attributes": "<p " + " ".join(f"a{n}=1" for n in range(MANY)) + ">",
    "attributes behind a quoted bracket": '<p x=">" ' + " ".join(f"a{n}" for n in range(MANY)) + ">",
    "attributes without an end": "<p " + "a=1 " * MANY,
    "a tag of one very long name": "<p " + "a" * 200_000 + "=1 b>",
    "attributes after honest text": "<p>rye</p>" * 900 + "<p " + "a=1 " * MANY + ">",
}
HARD = {
    "a tag of one long name": "<p " + "a" * 20_000 + "=1 b>",
    "many different attributes": "".join(
        f"<p {' '.join(f'a{n}b{m}' for m in range(40))}></p>" for n in range(900)
    ),
    "many tags": "<p>rye</p>" * (EASY_TAGS // 2 + 1),
    "options": "<select>" + "<option>" * MANY,
    "fostered blocks": "<table>" + "x<div></div>" * MANY,
    "deep elements": "<div>" * MANY,
    "deep unknown elements": "<bread-loaf>" * MANY,
    "deep capitals": "<DIV>" * MANY,
    "deep tables": "<table>" * MANY,
    "formatting in paragraphs": "<p><b><i><a href=x>" * MANY,
    "unclosed bold in closed blocks": "<b><div></b>" * MANY,
    "links that hold tables": "<a href=x><table>" * MANY,
    "different fonts": _fonts(MANY),
    "fonts reopened in paragraphs": _fonts(400) + "<p>x" * MANY,
    "fonts reopened in blocks": "<p>" + _fonts(400) + "<div>x</div>" * MANY,
    "items and definitions by turns": "<li><dd>" * MANY,
    "end tags that a barrier stops": ("<div>" * 490 + "<object>" + "</div>" * 490) * 3,
    "a style in a drawing": "<svg><style>" + "<g>" * MANY,
    "options in a drawing": "<svg>" + "<option>" * MANY,
    "cells in a drawing": "<table><td><svg>" + "<td><g>" * MANY,
    "a title in a selection": "<select><title>" + "<template>" * MANY,
    "deep templates": "<template>" * MANY,
    "cells outside a table": "<td><div>" * MANY,
    "a doctype that hides a quote": '<!x <p a="> ' + "<div>" * MANY + '">',
    "a name with a no-break space": '<p\u00a0a="> ' + "<div>" * MANY + '">',
    "a Kelvin sign in a void name": "<lin\u212a>" * MANY,
    "a bare equals sign before quotes": '<p ="a b="=" c=">' + "<div>" * MANY + '">',
    "deep buttons": "<button>" * MANY,
    "ruby": "<ruby><rt>" * MANY,
}
HARMLESS = {
    "entities": "&amp;" * (SIZE // 5),
    "ampersands": "&" * SIZE,
    "brackets": "<" * EASY_TAGS,
    "names without an end": "<a" * EASY_TAGS,
    "comments without an end": "<!--" * EASY_TAGS,
    "comment dashes": "<!-- -" * EASY_TAGS,
    "end tags of paragraphs": "</p>" * EASY_TAGS,
    "paragraphs": "<p>" * EASY_TAGS,
    "links in paragraphs that never began": "<a href=x></p>" * 9_000,
    "options": "<select>" + "<option>" * 9_000,
    "fostered blocks": "<table>" + "x<div></div>" * 9_000,
    "a long value": '<p x="' + "a" * SIZE + '">',
    "nothing": "",
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_known(text: str) -> None:
    assert weigh(text) is Weight.BOMB


@pytest.mark.parametrize("text", HARD.values(), ids=HARD)
def test_what_costs_a_parser_much_is_hard(text: str) -> None:
    assert weigh(text) is Weight.HARD


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS)
def test_what_only_looks_like_a_bomb_is_easy_and_parses(text: str) -> None:
    assert weigh(text) is Weight.EASY
    assert LexborHTMLParser(text, options=LexborDocumentOptions.WO_EVENTS).root is not None


SLOPPY = {
    "items without ends": "<ul>" + "<li>rye<p>bread" * 2_000 + "</ul>",
    "definitions without ends": "<dl>" + "<dt>rye<dd>bread" * 2_000,
    "cells without ends": "<table>" + "<tr><td>rye<td>bread" * 2_000 + "</table>",
    "cells that hold blocks": "<table>" + "<tr><td><div>rye</div><td><p>bread" * 2_000 + "</table>",
    "line breaks and pictures": "<br><img src=x><hr>" * 3_000,
    "anchors without ends": "<a name=x>rye<p>" * 2_000,
    "posts": "<div class='post'><b>baker</b><p>Rye <i>and</i> salt<br></p></div>" * 2_600,
    "a script with comparisons": "<script>for(i=0;i<n;i++){s='<b>'+x}</script><p>rye</p>" * 300,
    "uppercase": "<DIV><P>rye</P></DIV>" * 2_000,
}


@pytest.mark.parametrize("text", SLOPPY.values(), ids=SLOPPY)
def test_an_honest_page_in_bad_style_is_easy(text: str) -> None:
    assert weigh(text) is Weight.EASY


def test_the_number_of_attributes_decides() -> None:
    tag = "<p {}>"

    def weight(count: int) -> Weight:
        return weigh(tag.format(" ".join(f"a{n}" for n in range(count))))

    assert weight(MAX_ATTRIBUTES) is Weight.EASY
    assert weight(MAX_ATTRIBUTES + 1) is Weight.HARD
    assert weight(BOMB_ATTRIBUTES) is Weight.HARD
    assert weight(BOMB_ATTRIBUTES + 1) is Weight.BOMB


def test_as_deep_as_allowed_is_easy() -> None:
    assert weigh("<div>" * MAX_DEPTH) is Weight.EASY
    assert weigh("<div>" * (MAX_DEPTH + 1)) is Weight.HARD


NAMES = "a b p li dd dt td tr table div span svg option select button object font style title template ul dl".split()
TAGS = [f"<{name}>" for name in NAMES] + [f"</{name}>" for name in NAMES] + ["x", "<b a=1>", "<b a=2>"]


@given(st.lists(st.sampled_from(TAGS), min_size=1, max_size=6))
def test_a_short_piece_repeated_is_hard_or_stays_shallow(piece: list[str]) -> None:
    """Whatever the parser makes deep by repetition is not easy: the stack never loses count."""
    text = "".join(piece) * 1_500
    if weigh(text) is Weight.EASY:
        assert _depth(text) <= 5 * MAX_DEPTH


def _depth(text: str) -> int:
    deepest = depth = 0
    node = LexborHTMLParser(text, options=LexborDocumentOptions.WO_EVENTS).root
    while node is not None:
        deepest = max(deepest, depth)
        child = node.first_child
        depth += child is not None
        while child is None and node is not None:
            child = node.next
            if child is None:
                node = node.parent
                depth -= 1
        node = child
    return deepest


@given(st.text(alphabet="<>/!-=\"' \tabdivp\u00a0\0", max_size=200))
def test_any_text_is_scanned(text: str) -> None:
    assert weigh(text) is Weight.EASY


ODD = ["<p a=1", " b", "/", '="', "='", '"', "'", ">", "<", "</p", "<!--", "-->", "=", "a" * 300]


@given(st.lists(st.tuples(st.sampled_from([*TAGS, *ODD]), st.sampled_from([1, 3, 260])), max_size=8))
def test_what_the_quick_look_lets_through_passes_the_whole_scan(pieces: list[tuple[str, int]]) -> None:
    text = "".join(piece * count for piece, count in pieces)

    if prescan._is_surely_harmless(text):
        assert prescan._scanned(text) is Weight.EASY
