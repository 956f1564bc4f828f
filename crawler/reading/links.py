"""Say which addresses are never followed, by their wording, and which look promising.

The first half is a safeguard that no setting turns off: nothing that changes a site's state, begins or ends a
session, or brings media or a download is ever asked for. Whole path segments and words count, so a thread
whose title holds such a word is still read: a segment is refused only when nothing but such words stand in
it.
"""
# ruff: noqa: RUF001, SIM905 - interface words of many languages, as lists that people read

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import unquote

from crawler.reading.address import split
from crawler.transport.admission import is_media_path

if TYPE_CHECKING:
    from collections.abc import Iterable

STATE_CHANGING: Final = "state_changing"
SESSION: Final = "session"
MEDIA_TYPE: Final = "media_type"
ATTACHMENT: Final = "attachment"


class Hint(StrEnum):
    """What the wording of a link promises."""

    NONE = "none"
    NEXT = "next"
    PREVIOUS = "previous"
    STATE = "state"
    """A button in the form of a link: like, reply, log out."""


class LinkLike(Protocol):
    """The part of a link that is judged here."""

    @property
    def url(self) -> str:
        """Give the canonical address."""

    @property
    def rel(self) -> tuple[str, ...]:
        """Give the link's ``rel`` words."""

    @property
    def hint(self) -> Hint:
        """Give what its wording promises."""


_SESSION_WORDS: Final = frozenset(
    """login logon signin signup signout logout logoff register registration registrieren anmelden abmelden
    einloggen ausloggen lostpassword resetpassword forgotpassword password passwort sso oauth oauth2 auth
    connexion deconnexion déconnexion inscription acceder cerrar salir registrarse accedi esci registrati
    inloggen uitloggen aanmelden afmelden registreren entrar sair cadastro zaloguj wyloguj rejestracja
    logowanie войти вход выйти выход регистрация giriş çıkış kayıt üyelik تسجيل خروج دخول lostpw sendpassword
    createaccount join unregister""".split()
)
_STATE_WORDS: Final = frozenset(
    """markread markallread marktopics markforums like unlike dislike love upvote downvote vote votes voteup
    votedown rate flag report reportpost spam reply newreply postreply replyto quote multiquote posting
    newpost newtopic newthread posttopic postthread edit editpost delete deletepost remove publish
    unpublish subscribe unsubscribe subscription favourite favorite unfavorite bookmark watch unwatch
    follow unfollow ignore block unblock ban unban warn moderate approve disapprove pin unpin sticky lock
    unlock move merge thank thanks react poke addtocart cart checkout basket submit upload compose
    sendmessage sendpm pm invite install setup cron confirm activate repeat retweet share email
    sendtofriend donate addfriend mark markasread togglelike hide purge restore revert rollback undelete
    import replytocom addbookmark removefavorite setprefs gefällt antworten zitieren melden bewerten
    abstimmen löschen bearbeiten veröffentlichen abonnieren merken répondre citer signaler noter voter
    supprimer modifier publier abonner aimer responder citar reportar valorar votar borrar eliminar editar
    publicar suscribirse gusta rispondi cita segnala valuta vota elimina modifica pubblica iscriviti
    antwoorden citeren rapporteren stemmen verwijderen bewerken abonneren
    excluir denunciar avaliar assinar curtir
    odpowiedz cytuj zgłoś oceń głosuj usuń edytuj opublikuj subskrybuj polub
    ответить цитировать пожаловаться оценить голосовать удалить изменить редактировать опубликовать
    подписаться нравится лайк жалоба
    yanıtla alıntı şikayet oyla sil düzenle yayınla beğen
    رد اقتباس تبليغ تصويت حذف تعديل نشر اشترك إعجاب""".split()
)
_DOWNLOAD_WORDS: Final = frozenset(
    """download downloads attachment attachments dlattach getfile getattachment thumbnail thumb avatar avatars
    herunterladen anhang télécharger descargar scarica downloaden baixar pobierz скачать indir
    تحميل""".split()
)
_ACTING: Final = _SESSION_WORDS | _STATE_WORDS | _DOWNLOAD_WORDS
_STATE_PAIRS: Final = frozenset(
    {("post", "new"), ("new", "post"), ("topic", "new"), ("new", "topic"), ("new", "thread")}
)
_FILLERS: Final = frozenset(
    """a all and as to the up down in out on off new my your this it form action do php asp aspx jsp html
    htm cgi post posts topic topics thread threads comment comments message messages forum forums board
    boards read item user member users members account page add create toggle set confirm article entry
    reply""".split()
)
"""Words that do not make a segment content when they stand beside a word above."""
_VERB_KEYS: Final = frozenset(
    """action act do mode op cmd func function task method m a p r route page view section module
    controller file name go area sa app event job type option step""".split()
)
_FREE_KEYS: Final = frozenset(
    """q s query search keywords keyword tag tags title subject sort order orderby sortby sortfield by dir
    filter lang language style theme category cat""".split()
)
"""Keys whose name or value says nothing about what the request does."""
_NEXT_WORDS: Final = frozenset(
    """next nextpage older weiter nächste vor suivant suivante siguiente prossima successiva avanti
    volgende próxima seguinte następna dalej следующая далее вперед вперёд sonraki ileri التالي الصفحة > » › →
    >> 下一页 次へ""".split()
)
_PREVIOUS_WORDS: Final = frozenset(
    """previous prev prevpage newer zurück vorherige précédent précédente anterior precedente indietro vorige
    poprzednia wstecz предыдущая назад önceki geri السابق < « ‹ ← << 上一页 前へ""".split()
)

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORDS = re.compile(r"[^\W\d_]+|\d+")
_EXTENSION = re.compile(r"\.(?:php\d?|aspx?|jspx?|cgi|pl|html?|do|cfm)$", re.IGNORECASE)
_PAIRS = re.compile(r"[&;]")
_MAX_HINT_LETTERS: Final = 40


def refusal(url: str) -> str | None:
    """Give the code why a canonical address is never followed, or None.

    Codes: ``state_changing``, ``session``, ``media_type``, ``attachment``.
    """
    parts = split(url)
    if is_media_path(parts.path):
        return MEDIA_TYPE
    path = unquote(parts.path) if "%" in parts.path else parts.path
    words_before: list[str] = []
    for segment in path.split("/"):
        code = _segment_code(segment, words_before)
        if code is not None:
            return code
    return _query_code(parts.query[1:]) if len(parts.query) > 1 else None


def may_follow(url: str) -> bool:
    """Say whether no rule stands against asking for a canonical address."""
    return refusal(url) is None


def judge(link: LinkLike) -> str | None:
    """Give the code why a link is never followed, by its address or because it is worded like a button."""
    code = refusal(link.url)
    if code is None and link.hint is Hint.STATE:
        return STATE_CHANGING
    return code


def hint_of(text: str) -> Hint:
    """Give what a link's whole wording says; longer texts are titles and say nothing."""
    if len(text) > _MAX_HINT_LETTERS:
        return Hint.NONE
    words = text.casefold().split()
    if len(words) > 3 or not words:
        return Hint.NONE
    if words[0] in _NEXT_WORDS or words[-1] in _NEXT_WORDS:
        return Hint.NEXT
    if words[0] in _PREVIOUS_WORDS or words[-1] in _PREVIOUS_WORDS:
        return Hint.PREVIOUS
    return Hint.STATE if _code_of(words) is not None else Hint.NONE


def _words(text: str) -> list[str]:
    """Give the words of a segment or value, without numbers and a script's extension."""
    plain = _CAMEL.sub(" ", _EXTENSION.sub("", text))
    return [word for word in _WORDS.findall(plain.casefold()) if not word.isdigit()]


def _code_of(words: list[str]) -> str | None:
    """Give the code when ``words`` hold one that is refused and else nothing but fillers."""
    joined = "".join(words)
    if joined not in _ACTING and _ACTING.isdisjoint(words):
        return None
    for table, code in (
        (_SESSION_WORDS, SESSION),
        (_STATE_WORDS, STATE_CHANGING),
        (_DOWNLOAD_WORDS, ATTACHMENT),
    ):
        if joined in table:
            return code
        if any(word in table for word in words) and all(word in table or word in _FILLERS for word in words):
            return code
    return None


def _segment_code(segment: str, before: list[str]) -> str | None:
    words = _words(segment)
    if not words:
        return None
    code = _code_of(words)
    if code is None and len(words) == 1 and before and (before[-1], words[0]) in _STATE_PAIRS:
        code = STATE_CHANGING
    before.append(words[0] if len(words) == 1 else "")
    return code


def _query_code(query: str) -> str | None:
    for pair in _PAIRS.split(query):
        key, _, value = pair.partition("=")
        name = unquote(key).casefold()
        if name in _FREE_KEYS:
            continue
        code = _key_code(name, value)
        if code is not None:
            return code
    return None


def _key_code(name: str, value: str) -> str | None:
    code = _code_of(_words(name)) if name not in _VERB_KEYS else None
    if code is not None:
        return code
    text = unquote(value.replace("+", " "))
    if is_media_path("/" + text):
        return MEDIA_TYPE
    if name in _VERB_KEYS:
        return _first_code(_code_of(_words(part)) for part in text.split("/"))
    return None


def _first_code(codes: Iterable[str | None]) -> str | None:
    return next((code for code in codes if code is not None), None)


# ---- promises: hints for the order of requests only ----

_PROMISING: Final = frozenset(
    """thread threads topic topics viewtopic showthread discussion discussions t tid forum forums viewforum
    forumdisplay board boards f fid article articles story entry archive archives guide guides wiki post posts
    thema themen sujet tema temas argomento onderwerp tópico wątek тема темы форум konu موضوع""".split()
)
_DULL: Final = frozenset(
    """profile profiles user users member members memberlist viewprofile search calendar tag tags sort order
    orderby sortby print printable help faq rules contact privacy terms imprint impressum stats statistics
    online whosonline activity feed rss atom lang language style theme account settings prefs history diff
    groups reputation gallery album albums images""".split()
)
_PAGED: Final = re.compile(
    r"(?:^|[?&;/\-_.])(?:page|p|start|st|offset|seite)[=\-_/]?\d+(?:$|[&;/.])", re.IGNORECASE
)
_NEUTRAL: Final = 0.5


def prior(link: LinkLike, *, priors: bool = True) -> float:
    """Give how promising a link looks, 0 to 1, from its wording alone; 0.5 for all when priors are off."""
    if not priors:
        return _NEUTRAL
    if link.hint is Hint.NEXT or "next" in link.rel:
        return 0.9
    parts = split(link.url)
    words = set(_words(unquote(parts.path))) | {
        word for pair in _PAIRS.split(parts.query[1:]) for word in _words(pair)
    }
    score = _NEUTRAL
    score += 0.25 * (not words.isdisjoint(_PROMISING))
    score += 0.1 * (_PAGED.search(link.url) is not None)
    score -= 0.35 * (not words.isdisjoint(_DULL))
    score -= 0.05 * ("nofollow" in link.rel)
    return round(min(1.0, max(0.0, score)), 3)
