"""The practice sites as pure functions: what each answers for each path."""

from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.practice.answer import Answer, Ask, Kind, Style
from desk.practice.forum import Forum
from desk.practice.library import Library, Thread, is_members_only, terms_csv, terms_in, write_library
from desk.practice.mirror import Mirror
from desk.practice.paste import PasteSite, pastes_of
from desk.practice.truth import documents

LIBRARY = write_library(1)
FORUM = Forum(LIBRARY)
MIRROR = Mirror(LIBRARY)
PASTE = PasteSite(LIBRARY)
ROOTS = {"forum": "http://f.example", "mirror": "http://m.example", "paste": "http://p.example"}
VOID = {"meta", "img", "br", "hr", "input", "link"}


def ask(target: str) -> Ask:
    return Ask.of(target, origin="http://forum.crumb.example:8080", port=8080)


def header(answer: Answer, name: str) -> str:
    return dict(answer.headers).get(name, "")


def thread(number: int) -> Thread:
    return LIBRARY.threads[number - 1]


def long_thread() -> Thread:
    return max(LIBRARY.threads, key=lambda one: len(one.posts))


def links_of(answer: Answer) -> list[str]:
    found: list[str] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.extend(value for key, value in attrs if tag == "a" and key == "href" and value)

    Links().feed(answer.body.decode())
    return found


def is_balanced(page: str) -> bool:
    open_tags: list[str] = []
    balanced = page.startswith("<!DOCTYPE html>")

    class Nesting(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag not in VOID:
                open_tags.append(tag)

        def handle_endtag(self, tag: str) -> None:
            nonlocal balanced
            balanced = balanced and bool(open_tags) and open_tags.pop() == tag

    Nesting().feed(page)
    return balanced and not open_tags


def shingles(text: str) -> set[str]:
    letters = re.sub("[^a-z]", "", text.lower())
    return {letters[at : at + 12] for at in range(len(letters) - 11)}


def test_the_same_seed_writes_the_same_words_and_another_seed_writes_others() -> None:
    assert write_library(1) == LIBRARY
    assert write_library(2) != LIBRARY


def test_no_two_posts_share_a_seventh_of_their_shingles() -> None:
    sets = [shingles(post.text) for one in LIBRARY.threads for post in one.posts]
    worst = max(len(a & b) / min(len(a), len(b)) for a, b in itertools.combinations(sets, 2))

    assert worst < 1 / 7


def test_posts_have_thirty_to_three_hundred_words() -> None:
    counts = [len(post.text.split()) for one in LIBRARY.threads for post in one.posts]

    assert min(counts) >= 30
    assert max(counts) <= 300


def test_a_longer_word_is_no_term() -> None:
    assert terms_in("Two desemstarters rest.") == ()


def test_terms_stand_in_some_posts_only() -> None:
    holding = [one.number for one in LIBRARY.threads if any(terms_in(post.text) for post in one.posts)]

    assert holding == [1, 3, 5, 8, 10, 12, 13]
    assert terms_csv().splitlines()[0] == "id,term,weight,kind"


@pytest.mark.parametrize(
    "target", ["/nothing", "/t/99", "/board/9", "/member/99", "/post/9999", "/calendar/1"]
)
def test_an_address_that_is_not_there_is_a_404_in_the_frame(target: str) -> None:
    answer = FORUM.answer(ask(target))

    assert answer.status == 404
    assert b"Recent threads" in answer.body


@pytest.mark.parametrize("page", ["0", "99"])
def test_a_page_past_the_end_of_a_thread_is_missing(page: str) -> None:
    assert FORUM.answer(ask(f"/t/{thread(1).slug}?page={page}")).status == 404


@pytest.mark.parametrize(
    "target",
    ["/like?post=3", "/report?post=3", "/reply?thread=1", "/logout", "/mark-read?board=1", "{}/mark-read"],
)
def test_links_that_change_something_are_counted_apart(target: str) -> None:
    answer = FORUM.answer(ask(target.format(f"/t/{thread(1).slug}")))

    assert answer.kind is Kind.CHANGE


@pytest.mark.parametrize("target", ["/avatar/3.png", "/pictures/7-small.png", "/pictures/logo.png"])
def test_pictures_are_pictures_and_counted(target: str) -> None:
    answer = FORUM.answer(ask(target))

    assert answer.kind is Kind.MEDIA
    assert answer.body.startswith(b"\x89PNG\r\n\x1a\n")


def test_a_thread_shows_each_of_its_posts_on_one_page_only() -> None:
    one = long_thread()
    pages = [FORUM.answer(ask(f"/t/{one.slug}?page={number}")).body.decode() for number in (1, 2, 3, 4)]
    shown = [[post.number for post in one.posts if post.paragraphs[-1] in page] for page in pages]

    assert [post.number for post in one.posts] == [number for numbers in shown for number in numbers]


def test_a_thread_page_names_its_neighbours() -> None:
    answer = FORUM.answer(ask(f"/t/{long_thread().slug}?page=2"))

    assert b'rel="next"' in answer.body
    assert b'rel="prev"' in answer.body


@pytest.mark.parametrize("alias", ["?sort=oldest", "?sort=liked", "/print"])
def test_aliases_show_the_same_posts(alias: str) -> None:
    answer = FORUM.answer(ask(f"/t/{thread(2).slug}{alias}"))
    text = answer.body.decode()

    assert all(post.paragraphs[0] in text for post in thread(2).posts)


def test_a_post_address_leads_to_its_page_in_the_thread() -> None:
    post = thread(1).posts[17]
    answer = FORUM.answer(ask(f"/post/{post.number}"))

    assert header(answer, "Location") == f"/t/{thread(1).slug}?page=2#p{post.number}"


def test_a_wrong_slug_leads_to_the_right_one() -> None:
    answer = FORUM.answer(ask("/t/1-stale-name"))

    assert (answer.status, header(answer, "Location")) == (301, f"/t/{thread(1).slug}")


def test_the_members_board_asks_for_a_log_in() -> None:
    closed = next(one for one in LIBRARY.threads if is_members_only(one))
    board = FORUM.answer(ask("/board/4-members"))
    page = FORUM.answer(ask(f"/t/{closed.slug}"))

    assert header(board, "Location") == "/login?next=/board/4-members"
    assert b'type="password"' in page.body
    assert closed.posts[0].paragraphs[0].encode() not in page.body


def test_one_thread_has_its_posts_in_noscript_only() -> None:
    text = FORUM.answer(ask(f"/t/{thread(5).slug}")).body.decode()
    outside = re.sub(r"<noscript>.*?</noscript>", "", text, flags=re.S)

    assert thread(5).posts[0].paragraphs[0] in text
    assert thread(5).posts[0].paragraphs[0] not in outside


def test_one_post_holds_a_data_uri() -> None:
    assert b"data:image/gif;base64," in FORUM.answer(ask(f"/t/{thread(1).slug}")).body


def test_the_calendar_never_ends() -> None:
    target = "/calendar/2026/11"
    for _ in range(30):
        target = next(link for link in reversed(links_of(FORUM.answer(ask(target)))) if link.count("/") == 3)

    assert FORUM.answer(ask(target)).status == 200


def test_public_threads_are_reached_from_the_index() -> None:
    seen, todo = set(), ["/"]
    while todo:
        target = todo.pop()
        if target in seen or not re.match(r"/$|/board/|/t/", target):
            continue
        seen.add(target)
        todo += links_of(FORUM.answer(ask(target)))

    public = [one for one in documents(LIBRARY, roots=ROOTS, removed=set()) if one.site == "forum"]
    wanted = {
        page.removeprefix(ROOTS["forum"]) for one in public if one.access == "public" for page in one.pages
    }
    assert wanted <= seen


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/board/1-starters",
        "/login?next=%22%3E",
        "/search?q=%3Cb%3E",
        "/member/3",
        "/calendar/2026/5",
        "/gone",
    ]
    + [f"/t/{one.slug}" for one in LIBRARY.threads]
    + [f"/t/{LIBRARY.threads[0].slug}/print"],
)
def test_forum_pages_are_well_formed(target: str) -> None:
    assert is_balanced(FORUM.answer(ask(target)).body.decode())


@pytest.mark.parametrize("target", ["/", "/read.php?topic=3&start=15", "/read.php?topic=999", "/else"])
def test_mirror_pages_are_well_formed(target: str) -> None:
    assert is_balanced(MIRROR.answer(ask(target)).body.decode())


@pytest.mark.parametrize(
    ("style", "status", "location"),
    [(Style.NOT_FOUND, 404, ""), (Style.SOFT, 200, ""), (Style.HOME, 302, "/")],
)
def test_a_removed_thread_is_answered_in_the_sites_style(style: Style, status: int, location: str) -> None:
    forum = Forum(LIBRARY, removed={3}, style=style)
    answer = forum.answer(ask(f"/t/{thread(3).slug}?page=2"))

    assert (answer.status, header(answer, "Location")) == (status, location)
    assert thread(3).posts[12].paragraphs[0].encode() not in answer.body


def test_a_removed_thread_leaves_no_link_and_takes_its_posts_along() -> None:
    forum = Forum(LIBRARY, removed={12})
    pages = [forum.answer(ask(target)) for target in ("/", "/board/3-ovens", f"/t/{thread(11).slug}")]

    assert not any(thread(12).slug.encode() in page.body for page in pages)
    assert forum.answer(ask(f"/post/{thread(12).posts[0].number}")).status == 404
    assert forum.answer(ask(f"/t/{thread(12).slug}/print")).status == 404


def test_the_mirror_serves_the_same_words_in_another_shape() -> None:
    one = thread(3)
    pages = [MIRROR.answer(ask(f"/read.php?topic=3&start={start}")).body.decode() for start in (0, 15, 30)]

    assert all(post.paragraphs[0] in pages[place // 15] for place, post in enumerate(one.posts))
    assert "<article" not in pages[0]


def test_the_mirror_softens_what_is_missing() -> None:
    answer = MIRROR.answer(ask("/read.php?topic=2"))

    assert (answer.status, answer.kind) == (200, Kind.MISSING)


def test_a_paste_is_a_page_a_raw_text_and_a_file() -> None:
    one = pastes_of(LIBRARY)[0]
    shown, raw, saved = (PASTE.answer(ask(f"{view}/{one.slug}")) for view in ("", "/raw", "/download"))

    assert header(shown, "Content-Type").startswith("text/html")
    assert raw.body.decode().strip() == one.text
    assert header(raw, "Content-Type").startswith("text/plain")
    assert header(saved, "Content-Disposition").startswith("attachment")
    assert saved.kind is Kind.ATTACHMENT


def test_a_removed_paste_is_gone_in_all_views() -> None:
    one = pastes_of(LIBRARY)[0]
    site = PasteSite(LIBRARY, removed={one.name}, style=Style.NOT_FOUND)

    assert {site.answer(ask(f"{view}/{one.slug}")).status for view in ("", "/raw", "/download")} == {404}


def test_the_truth_agrees_with_the_pages() -> None:
    found = documents(LIBRARY, roots=ROOTS, removed={("forum", "thread-3")})
    sites: dict[str, Forum | Mirror | PasteSite] = {"forum": FORUM, "mirror": MIRROR, "paste": PASTE}
    for one in (document for document in found if document.access == "public"):
        for number, page in enumerate(one.pages, 1):
            words = sites[one.site].answer(ask(page.removeprefix(ROOTS[one.site]))).body.decode()
            visible = re.sub(r"<[^>]*>", " ", words)
            assert set(terms_in(visible)) == {term for term, pages in one.terms.items() if number in pages}

    assert [(one.site, one.name) for one in found if not one.present] == [("forum", "thread-3")]


@given(st.text(max_size=60), st.sampled_from([FORUM, MIRROR, PASTE]))
def test_any_target_gets_an_answer(target: str, site: Forum | Mirror | PasteSite) -> None:
    answer = site.answer(ask("/" + target))

    assert answer.status in {200, 204, 301, 302, 404}
    assert all("\n" not in value and "\r" not in value for _, value in answer.headers)


def test_an_empty_library_is_no_trouble() -> None:
    assert Forum(Library(threads=())).answer(ask("/board/1")).status == 200
