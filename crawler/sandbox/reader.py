"""Read pages without ever holding up the crawl: easy ones here, hard ones in a process of their own.

One process serves all sites of a crawl by turns. It is started for the first hard page and stays; a page
that takes too much time or memory ends it, counts as a parser bomb, and the next page gets a new one.
Text goes over a pipe and stays in memory.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from crawler.reading.flatten import refused
from crawler.reading.page import parse_page, read_page, without_known
from crawler.reading.prescan import Weight, weigh
from crawler.sandbox.process import Process
from crawler.sandbox.turns import Turns
from crawler.sandbox.wire import page_of

if TYPE_CHECKING:
    from collections.abc import Container

    from crawler.reading.hrefs import LinkReader
    from crawler.reading.page import PageText

PAGE_CPU_S: Final = 1.5
"""Processor time that parsing one page may take; with all around it a page costs less than 2 s."""
SITE_CPU_S: Final = 5.0
"""Processor time that the hard pages of one site may take in one crawl."""
PROCESS_CPU_S: Final = 300.0
"""Processor time after which a process is replaced by a new one."""
ANSWER_S: Final = 60.0
"""How long to wait for an answer when the machine is busy with other things."""


class Sandbox:
    """Read the pages of one crawl.

    Args:
        page_cpu_s: Processor time for one hard page.
        site_cpu_s: Processor time for all hard pages of one site.
    """

    def __init__(self, *, page_cpu_s: float = PAGE_CPU_S, site_cpu_s: float = SITE_CPU_S) -> None:
        self._page_cpu_s = page_cpu_s
        self._site_cpu_s = site_cpu_s
        self._spent: dict[str, float] = {}
        self._used_s = 0.0
        self._turns = Turns()
        self._process: Process | None = None
        self.starts = 0
        """How many processes were started."""

    @property
    def process_id(self) -> int | None:
        """Give the id of the parsing process, None while there is none."""
        return self._process.id if self._process else None

    def spent_s(self, site: str) -> float:
        """Give the processor time that a site's hard pages took."""
        return self._spent.get(site, 0.0)

    async def read_page(
        self,
        text: str,
        url: str,
        media_type: str,
        *,
        site: str,
        links: LinkReader | None = None,
        known: Container[str] = frozenset(),
    ) -> PageText:
        """Give the blocks and links of a page, as `crawler.reading.page.read_page` does.

        Args:
            text: The decoded body, with `data:` addresses cut out.
            url: The page's own address.
            media_type: ``text/plain`` is not parsed at all.
            site: Whose page it is; sites take turns and have a budget each.
            links: The crawl's memory of resolved targets.
            known: Canonical addresses on the page's own site that need not be given again.

        Raises:
            RefusedError: With code ``parser_bomb``: the page or its site's hard pages cost too much.
        """
        if media_type == "text/plain":
            return read_page(text, url, media_type)
        weight = weigh(text)
        if weight is Weight.EASY:
            return parse_page(text, url, links=links, known=known)
        if weight is Weight.BOMB:
            raise refused()
        return without_known(await self._hard(text, url, site), url, known)

    async def close(self) -> None:
        """End the process, if there is one; the next hard page would start another."""
        process, self._process = self._process, None
        if process is not None:
            await process.end()

    async def _hard(self, text: str, url: str, site: str) -> PageText:
        async with self._turns.of(site):
            spent_s = self.spent_s(site)
            if spent_s >= self._site_cpu_s:
                raise refused()
            answer = await self._asked(text, url, min(self._page_cpu_s, self._site_cpu_s - spent_s))
            try:
                used_s = float(answer["cpu_s"]) if answer else self._page_cpu_s
                self._spent[site] = spent_s + used_s
                self._used_s += used_s
                if answer and "refused" not in answer:
                    return page_of(answer)
            except (KeyError, TypeError, ValueError):
                await self.close()  # a process that talks nonsense is not asked again
        raise refused()

    async def _asked(self, text: str, url: str, cpu_s: float) -> dict[str, Any] | None:
        """Give the process's answer, None when the page ended it."""
        if self._process is not None and (self._process.is_over or self._used_s > PROCESS_CPU_S):
            await self.close()
        if self._process is None:
            self._used_s = 0.0
            self._process = await Process.start()
            self.starts += 1
        answer = None
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await self._process.ask({"text": text, "url": url, "cpu_s": cpu_s})
        except TimeoutError:
            pass
        finally:
            if answer is None:  # also when the crawl is cancelled: half an answer fits no other page
                await self.close()
        return answer
