"""Links: what changes state is never followed, whatever the language; threads about such words are."""
# ruff: noqa: E501, RUF001 - tables of interface words

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.reading.address import AddressError, canonical_url
from crawler.reading.links import Hint, hint_of, judge, may_follow, prior, refusal


@dataclass(frozen=True)
class Link:
    url: str
    rel: tuple[str, ...] = ()
    hint: Hint = Hint.NONE


HOST = "http://bread.example"
REFUSED = {
    "state_changing": """/comment/like/3/ /post/12/vote/up ?do=markread /index.php?action=markasread;board=2 /topic/publish/
        /posting.php?mode=reply&t=3 /posting.php?mode=quote&p=3 /newreply.php?tid=3 /newthread.php?fid=2 /report.php?p=3
        /threads/rye.12/watch /posts/12/react?reaction_id=1 /posts/12/report /topic/12/delete /edit.php?id=3
        /misc.php?action=markread /forum/mark-all-read /thread/12/new-reply /post/new /topic/12/rate/5 /a?like=3 /a?vote=up
        /?replytocom=12 /cart/add /add-to-cart/12 /thread/12/upvote /markRead /index.php?route=post/delete /subscribe
        /favorite/12 /?add-to-cart=4 /beitrag/12/bearbeiten /beitrag/antworten/3 /sujet/12/supprimer /tema/borrar/3
        /argomento/elimina/2 /onderwerp/verwijderen/1 /post/excluir/3 /temat/usuń/4 /тема/12/удалить /ответить/3
        /konu/sil/3 /konu/yanıtla/3 /موضوع/حذف/3 /moderate/12 /ban/user/3 /wp-admin/install.php""",
    "session": """/logout /login.php ?action=logout /ucp.php?mode=logout /ucp.php?mode=register /member.php?action=login
        /user/register /sign-in /signUp /users/password /lost-password /abmelden /déconnexion /cerrar /выход /çıkış
        /wyloguj /inloggen /sair /esci ?logout=1 /index.php?app=core&module=system&do=logout ?page=login /log-out""",
    "attachment": "/attachments/rye.12/ /download.php?id=3 ?action=dlattach;attach=3 /attachment.php?aid=3 /download/12",
    "media_type": "/a.jpg /a/b.PNG /c.mp4?x=1 /d.zip /e.pdf /f.svg /g?file=rye.jpg /h?page=rye.webm",
}
CASES = [(path, code) for code, paths in REFUSED.items() for path in paths.split()]


@pytest.mark.parametrize(("path", "code"), CASES)
def test_an_address_that_acts_is_refused(path: str, code: str) -> None:
    url = canonical_url(HOST + (path if path.startswith("/") else "/" + path))

    assert refusal(url) == code


FOLLOWED = """/ /topic/12/how-to-rate-flour /viewtopic.php?t=12&start=20 /showthread.php?tid=3 /threads/rye-bread.12/
    /t/report-on-flour-prices/12 /forum/baking /index.php?topic=12.0 /blog/why-i-deleted-my-starter /2023/01/like-a-baker.html
    /thread/12?page=2 /search?q=logout /list?sort=rating&order=votes /memberlist.php?mode=viewprofile&u=2 /posts/12 /post/12
    /t/12/next /edition/12 /a?tag=report /print/12 /thread/12/print /board/2/new-recipes /articles/password-of-the-baker
    /topic/new-oven /wiki/Rate_of_rise /u/12 /viewforum.php?f=2&sid=abcdef /poster-art/3 /p/markdown-notes /liked-breads"""


@pytest.mark.parametrize("path", FOLLOWED.split())
def test_an_address_that_reads_is_followed(path: str) -> None:
    assert may_follow(canonical_url(HOST + path))


def test_nofollow_alone_excludes_nothing() -> None:
    assert judge(Link(HOST + "/topic/12", rel=("nofollow",))) is None


def test_a_link_worded_like_a_button_is_refused() -> None:
    assert judge(Link(HOST + "/x/12", hint=hint_of("Log out"))) == "state_changing"
    assert judge(Link(HOST + "/x/12", hint=hint_of("Rye bread"))) is None
    assert judge(Link(HOST + "/logout", hint=Hint.NEXT)) == "session"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Hint.NONE),
        ("   ", Hint.NONE),
        ("Next", Hint.NEXT),
        ("Next page", Hint.NEXT),
        ("»", Hint.NEXT),
        ("nächste Seite", Hint.NEXT),
        ("Следующая", Hint.NEXT),
        ("‹ Prev", Hint.PREVIOUS),
        ("zurück", Hint.PREVIOUS),
        ("Like", Hint.STATE),
        ("Mark\u00a0forums read", Hint.STATE),
        ("Ответить", Hint.STATE),
        ("Şikayet", Hint.STATE),
        ("How to like a baker next", Hint.NONE),
        ("Delete " * 50, Hint.NONE),
    ],
)
def test_wording_becomes_a_hint(text: str, expected: Hint) -> None:
    assert hint_of(text) is expected


def test_promises_order_links() -> None:
    urls = [
        "/viewtopic.php?t=2&start=20",
        "/viewtopic.php?t=2",
        "/x/12",
        "/memberlist.php?mode=viewprofile&u=3",
    ]
    found = [prior(Link(HOST + url)) for url in urls]

    assert found == sorted(found, reverse=True)
    assert len(set(found)) == 4
    assert prior(Link(HOST + "/x", hint=Hint.NEXT)) == 0.9
    assert prior(Link(HOST + "/x", rel=("next",))) == 0.9
    assert prior(Link(HOST + "/x", rel=("nofollow",))) < prior(Link(HOST + "/x"))


def test_without_priors_all_links_are_equal() -> None:
    assert {prior(Link(HOST + path), priors=False) for path in ("/viewtopic?t=1", "/user/3")} == {0.5}


@given(st.text(max_size=60))
def test_any_address_is_judged(rest: str) -> None:
    try:
        url = canonical_url(f"{HOST}/{rest}")
    except AddressError:
        return

    assert refusal(url) in {None, "state_changing", "session", "media_type", "attachment"}
    assert 0 <= prior(Link(url)) <= 1


@given(
    st.sampled_from([path for path, _ in CASES if "?" not in path]),
    st.sampled_from(["", "?page=2", "?sid=ab12"]),
)
def test_a_harmless_query_does_not_excuse_an_action(path: str, query: str) -> None:
    assert not may_follow(canonical_url(HOST + path + query))
