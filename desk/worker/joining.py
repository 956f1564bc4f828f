"""Have something carried out: by the worker that runs, or else by becoming it for as long as it takes."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from caselog.errors import OutageError, RefusedError
from caselog.slots.shared import BEAT_S
from caselog.slots.slot import living
from desk.engine import Orders
from desk.worker.orders import follow
from desk.worker.worker import running_worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from threading import Event

    from caselog.workspace import Workspace
    from desk.access import Acting
    from desk.worker.worker import Worker

logger = logging.getLogger(__name__)

LOOK_FOR_WORKERS_S: Final = 2.0
LOOK_S: Final = 0.5
TABLES_LOOKS: Final = 40
ALONE_S: Final = 3 * BEAT_S
"""A worker that lost its connection has its place again by then: no worker for so long is none."""
P = TypeVar("P")


def carry_out(
    workspace: Workspace,
    acting: Acting,
    stopping: Event,
    *,
    place: Callable[[Orders], P],
    is_done: Callable[[Orders, P], bool],
    paged: Callable[[int], None] = lambda _: None,
    joined: Callable[[], None] = lambda: None,
) -> tuple[P, bool]:
    """Place something, wait until it is done, and return what was placed and whether it was done.

    Args:
        workspace: The opened workspace.
        acting: Who acts.
        stopping: Ends the wait; what was placed stays placed where a worker runs.
        place: Places it.
        is_done: Tells whether it is done.
        paged: Told of new pages, where this process crawls itself.
        joined: Called when another process carries it out.
    """
    placed: P | None = None
    while True:
        with _at_work(workspace, acting, paged) as (orders, is_joined):
            if is_joined:
                joined()
                _wait_for_tables(orders, stopping)
            placed = place(orders) if placed is None else placed
            look = _Look(
                partial(is_done, orders, placed),
                partial(_is_left_alone, workspace, is_joined=is_joined),
                alone_s=ALONE_S if workspace.is_shared() else 0.0,
            )
            is_over = follow(look, stopping)
        if look.is_done or not is_over:
            return placed, look.is_done


def _wait_for_tables(orders: Orders, stopping: Event) -> None:
    """Wait for the very first worker of a workspace, which makes the tables after it has taken its place."""
    for _ in range(TABLES_LOOKS):
        if orders.is_ready() or stopping.wait(LOOK_S):
            return


class _Look:
    """Look whether it is done, and every now and then whether the worker that does it is gone.

    While the database is away nobody can tell, and nothing is over.
    """

    def __init__(
        self, look: Callable[[], bool], is_left_alone: Callable[[], bool], *, alone_s: float = 0.0
    ) -> None:
        self.is_done = False
        self._look = look
        self._is_left_alone = is_left_alone
        self._alone_s = alone_s
        self._looked_s = self._led_s = time.monotonic()
        self._is_blind = False

    def __call__(self) -> bool:
        try:
            is_over = self._is_over()
        except OutageError as error:
            if not self._is_blind:
                logger.warning("%s This waits until it is back.", error.message)
            self._is_blind = True
            self._led_s = time.monotonic()
            return False
        self._is_blind = False
        return is_over

    def _is_over(self) -> bool:
        self.is_done = self._look()
        if self.is_done or time.monotonic() - self._looked_s < LOOK_FOR_WORKERS_S:
            return self.is_done
        self._looked_s = time.monotonic()
        if not self._is_left_alone():
            self._led_s = self._looked_s
            return False
        return self._looked_s - self._led_s >= self._alone_s


def _is_left_alone(workspace: Workspace, *, is_joined: bool) -> bool:
    return is_joined and not living(workspace)


@contextmanager
def _at_work(
    workspace: Workspace, acting: Acting, paged: Callable[[int], None]
) -> Iterator[tuple[Orders, bool]]:
    """Give where to place jobs, and whether another process carries them out."""
    with ExitStack() as stack:
        worker = (
            None if workspace.is_shared() and living(workspace) else _become(stack, workspace, acting, paged)
        )
        if worker is not None:
            yield worker.orders, False
            return
        orders = Orders(workspace)
        stack.callback(orders.close)
        yield orders, True


def _become(
    stack: ExitStack, workspace: Workspace, acting: Acting, paged: Callable[[int], None]
) -> Worker | None:
    """Become the worker until the stack ends; None where there is one already."""
    try:
        return stack.enter_context(running_worker(workspace, acting, paged, keeps_schedules=False))
    except RefusedError as error:
        if error.code != "busy":
            raise
        return None
