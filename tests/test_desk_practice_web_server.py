"""The small HTTP server of the tests does what its users count on."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request

import pytest

from tests.servers.web import Reply, Request, WebServer

PAGE: Reply = (200, {"Content-Type": "text/html"}, b"<p>crumb</p>")


def test_a_route_with_its_query_is_preferred_to_the_path_alone() -> None:
    with WebServer({"/loaf": PAGE, "/loaf?page=2": (200, {}, b"second")}) as server:
        bodies = [
            urllib.request.urlopen(server.url(path)).read() for path in ("/loaf?page=2", "/loaf?page=3")
        ]

    assert bodies == [b"second", b"<p>crumb</p>"]


def test_what_has_no_route_is_missing_and_logged() -> None:
    with WebServer() as server:
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(server.url("/gone"))
        caught.value.close()

        assert (caught.value.code, server.paths) == (404, ["/gone"])


def test_requests_in_flight_are_counted() -> None:
    meeting = threading.Barrier(3, timeout=5)

    def wait(request: Request) -> Reply:
        meeting.wait()
        return PAGE

    with WebServer({"*": wait}) as server:
        callers = [
            threading.Thread(target=lambda: urllib.request.urlopen(server.url()).close()) for _ in range(3)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()

        assert server.most_in_flight == 3
