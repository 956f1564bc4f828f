"""The sandbox: a hard page costs itself at most, never the crawl, another page or another site."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from caselog.errors import RefusedError
from crawler.reading.page import read_page
from crawler.sandbox.process import Process
from crawler.sandbox.reader import Sandbox
from crawler.sandbox.turns import Turns
from crawler.sandbox.wire import page_message, page_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

URL = "http://bread.example/"
DEEP = "<div>" * 600 + "rye<a href=/x>salt</a>"
SLOW = "<li>rye" * 290_000
BOMBS = {
    f"attributes {kilobytes} KB": "<p " + " ".join(f"a{n}=1" for n in range(kilobytes * 1024 // 9)) + ">rye"
    for kilobytes in (256, 2048)
} | {
    "different attributes behind many tags": "<i></i>" * 15_000 + "<p " + "a b=1 " * 60_000 + ">",
    "too many tags": "<b>" * 650_000,
}


def _run(job: Callable[[Sandbox], Awaitable[None]], **limits: float) -> None:
    async def main() -> None:
        sandbox = Sandbox(**limits)
        try:
            await job(sandbox)
        finally:
            await sandbox.close()

    asyncio.run(main())


async def _read(sandbox: Sandbox, text: str, site: str = "a") -> tuple[str, ...] | str:
    try:
        page = await sandbox.read_page(text, URL, "text/html", site=site)
    except RefusedError as error:
        return error.code
    return page.blocks


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_a_bomb_comes_back_as_one(text: str) -> None:
    async def job(sandbox: Sandbox) -> None:
        assert await _read(sandbox, text) == "parser_bomb"

    _run(job)


def test_a_page_beyond_its_time_is_a_bomb_and_the_next_page_is_read() -> None:
    async def job(sandbox: Sandbox) -> None:
        assert await _read(sandbox, SLOW) == "parser_bomb"
        assert await _read(sandbox, DEEP) == ("ryesalt",)
        assert sandbox.starts == 2

    _run(job, page_cpu_s=0.1)


def test_a_deep_page_of_two_megabytes_is_read_whole() -> None:
    text = "".join(f"<div>w{number} " for number in range(150_000))

    async def job(sandbox: Sandbox) -> None:
        assert await _read(sandbox, text) == tuple(f"w{number}" for number in range(150_000))

    _run(job, page_cpu_s=10)


def test_easy_pages_start_no_process() -> None:
    async def job(sandbox: Sandbox) -> None:
        assert await _read(sandbox, "<p>rye</p>") == ("rye",)
        assert sandbox.starts == 0

    _run(job)


def test_a_hard_page_is_read_like_any_other() -> None:
    async def job(sandbox: Sandbox) -> None:
        page = await sandbox.read_page(DEEP, URL, "text/html", site="a")
        known = await sandbox.read_page(DEEP, URL, "text/html", site="a", known={f"{URL}x"})

        assert page == read_page(DEEP, URL, "text/html")
        assert known == read_page(DEEP, URL, "text/html", known={f"{URL}x"})
        assert known.links == ()
        assert sandbox.starts == 1

    _run(job)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_a_process_that_dies_between_pages_is_replaced(number: signal.Signals) -> None:
    async def job(sandbox: Sandbox) -> None:
        await _read(sandbox, DEEP)
        os.kill(sandbox.process_id or 0, number)

        assert await _read(sandbox, DEEP) in {("ryesalt",), "parser_bomb"}
        assert await _read(sandbox, DEEP) == ("ryesalt",)

    _run(job)


def test_a_process_that_dies_over_a_page_makes_only_that_page_a_bomb() -> None:
    async def job(sandbox: Sandbox) -> None:
        await _read(sandbox, DEEP)
        process_id = sandbox.process_id or 0
        os.kill(process_id, signal.SIGSTOP)  # it surely has the page in hand when it dies
        slow = asyncio.create_task(_read(sandbox, SLOW, "b"))
        other = asyncio.create_task(_read(sandbox, DEEP, "c"))
        await asyncio.sleep(0)
        os.kill(process_id, signal.SIGKILL)

        assert await slow == "parser_bomb"
        assert await other == ("ryesalt",)

    _run(job)


@pytest.mark.skipif(sys.platform != "linux", reason="sets limits of another process")
def test_a_page_beyond_its_memory_is_a_bomb_and_the_next_page_is_read() -> None:
    async def job(sandbox: Sandbox) -> None:
        await _read(sandbox, DEEP)
        used = _address_space(sandbox.process_id or 0)
        resource.prlimit(sandbox.process_id or 0, resource.RLIMIT_AS, (used + 2**23, 2**30))

        assert await _read(sandbox, SLOW) == "parser_bomb"
        assert await _read(sandbox, DEEP) == ("ryesalt",)
        assert sandbox.starts == 2

    _run(job, page_cpu_s=10, site_cpu_s=60)


def _address_space(process_id: int) -> int:
    pages = Path(f"/proc/{process_id}/statm").read_text().split()[0]
    return int(pages) * resource.getpagesize()


def test_a_site_has_a_budget_of_its_own() -> None:
    async def job(sandbox: Sandbox) -> None:
        assert await _read(sandbox, SLOW, "a") == "parser_bomb"
        assert await _read(sandbox, DEEP, "a") == "parser_bomb"
        assert await _read(sandbox, "<p>rye", "a") == ("rye",)
        assert await _read(sandbox, DEEP, "b") == ("ryesalt",)

    _run(job, page_cpu_s=0.1, site_cpu_s=0.1)


def test_a_cancelled_page_leaves_no_half_answer_behind() -> None:
    async def job(sandbox: Sandbox) -> None:
        await _read(sandbox, DEEP)
        task = asyncio.create_task(_read(sandbox, SLOW))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert await _read(sandbox, DEEP) == ("ryesalt",)

    _run(job)


def test_the_process_ends_with_the_crawl() -> None:
    process_ids: list[int] = []

    async def job(sandbox: Sandbox) -> None:
        await _read(sandbox, DEEP)
        process_ids.append(sandbox.process_id or 0)

    _run(job)

    with pytest.raises(ProcessLookupError):
        os.kill(process_ids[0], 0)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_the_process_gives_up_what_parsing_does_not_need() -> None:
    async def job(sandbox: Sandbox) -> None:
        await _read(sandbox, DEEP)
        with open(f"/proc/{sandbox.process_id}/limits") as file:  # noqa: ASYNC230 - no disk
            limits = {line[:26].strip(): line[26:47].strip() for line in file}

        assert limits["Max core file size"] == "0"
        assert limits["Max file size"] == "0"
        assert limits["Max open files"] == "3"
        assert limits["Max processes"] == "0"
        assert int(limits["Max address space"]) <= 2**30

    _run(job)


def test_the_process_ends_when_its_parent_closes_its_end() -> None:
    async def main() -> int:
        process = await Process.start()
        process._writer.close()
        await process._writer.wait_closed()
        return await asyncio.to_thread(process._child.wait, 30)

    assert asyncio.run(main()) == 0


def test_sites_take_turns() -> None:
    async def main() -> list[str]:
        turns, order = Turns(), []

        async def page(site: str) -> None:
            async with turns.of(site):
                order.append(site)
                await asyncio.sleep(0)

        await asyncio.gather(*(page(site) for site in ["greedy"] * 5 + ["bread", "rye"]))
        return order

    assert asyncio.run(main()) == ["greedy", "greedy", "bread", "rye", "greedy", "greedy", "greedy"]


def test_a_page_that_no_longer_waits_is_passed_over() -> None:
    async def main() -> list[str]:
        turns, order = Turns(), []

        async def page(site: str) -> None:
            async with turns.of(site):
                order.append(site)
                await asyncio.sleep(0)

        tasks = [asyncio.create_task(page(site)) for site in ("a", "b", "c")]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return order

    assert asyncio.run(main()) == ["a", "c"]


@pytest.mark.parametrize(
    "change",
    [
        {"blocks": [1]},
        {"blocks": None},
        {"links": [["file:///x", [], "none", "anchor"]]},
        {"links": [["http://bread.example/", [], "none", "media"]]},
        {"links": [["http://bread.example/", [], "bake", "anchor"]]},
        {"links": [["http://bread.example/", [1], "none", "anchor"]]},
        {"links": [["http://bread.example/"]]},
        {"links": [[None, [], "none", "anchor"]]},
        {"refresh": "javascript:x"},
        {"canonical": 1},
    ],
)
def test_an_answer_of_another_form_is_not_taken(change: dict[str, object]) -> None:
    message = page_message(read_page("<a href=/x>next</a>", URL, "text/html"))

    assert page_of(message) == read_page("<a href=/x>next</a>", URL, "text/html")
    with pytest.raises((TypeError, ValueError)):
        page_of(message | change)
