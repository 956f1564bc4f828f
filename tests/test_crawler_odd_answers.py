"""Media in every dress is refused, and odd but honest texts come through as they were written."""

from __future__ import annotations

import asyncio

import pytest

from crawler.transport.admission import NotTextError, TextProof
from crawler.transport.client import Transport
from crawler.transport.fetch import Refused
from tests.servers.hostile import HostileServer, answer
from tests.servers.odd_media import odd_media
from tests.servers.odd_texts import odd_texts

MEDIA = odd_media()
TEXTS = odd_texts()
DECLARED = (None, "utf-8", "iso-8859-1", "windows-1251", "shift_jis", "gb18030", "utf-16", "koi8-r", "big5")


def proven(body: bytes, declared: str | None) -> str:
    """Give the text that a body proves to be; raises `NotTextError`."""
    proof = TextProof(declared, limit_bytes=2**21)
    for start in range(0, len(body), 2048):
        proof.feed(body[start : start + 2048])
    charset = proof.finish()
    return bytes(proof.body).decode(charset, "replace").removeprefix("\ufeff")


@pytest.mark.parametrize(("name", "body"), MEDIA, ids=[name for name, _ in MEDIA])
def test_media_is_refused_whatever_charset_it_is_said_to_be_in(name: str, body: bytes) -> None:
    for declared in DECLARED:
        with pytest.raises(NotTextError):
            proven(body, declared)


@pytest.mark.parametrize(("name", "body", "declared", "text"), TEXTS, ids=[text[0] for text in TEXTS])
def test_an_odd_text_is_read_as_it_was_written(
    name: str, body: bytes, declared: str | None, text: str
) -> None:
    assert proven(body, declared) == text


def test_there_are_enough_of_both() -> None:
    assert len(MEDIA) >= 200
    assert len(TEXTS) >= 600


def test_over_real_sockets_nothing_of_it_is_kept_and_no_text_is_lost() -> None:
    html = "Content-Type: text/html"
    scripts = {f"/media/{number}": answer(body, html) for number, (_, body) in enumerate(MEDIA)}
    texts = {}
    for number, (_, body, declared, text) in enumerate(TEXTS[::5]):
        kind = f"Content-Type: text/plain; charset={declared}" if declared else "Content-Type: text/plain"
        scripts[f"/text/{number}"] = answer(body, kind)
        texts[f"/text/{number}"] = text

    async def fetch_all(server: HostileServer) -> tuple[list[str], list[str]]:
        transport = Transport(practice=True, user_agent="bread")
        kept, lost = [], []
        try:
            for path in scripts:
                try:
                    got = await transport.fetch(server.url(path))
                except Refused:
                    lost += [path] if path in texts else []
                    continue
                if path not in texts:
                    kept.append(path)
                elif got.body.decode(got.fetch.charset or "").removeprefix("\ufeff") != texts[path]:
                    lost.append(path)
        finally:
            await transport.close()
        return kept, lost

    with HostileServer(scripts) as server:
        kept, lost = asyncio.run(fetch_all(server))

    assert (kept, lost) == ([], [])
