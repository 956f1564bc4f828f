"""Durable jobs on DBOS: the only module that knows it.

A job is a name, a kind and a few numbers; it is placed once, however often it is placed, and carried out at
least once. Jobs of one site never run at the same time, over all workers. A worker's number is its executor:
whoever takes the number of a dead worker takes its jobs over.

No address, name of a host or text is in these tables: inputs are numbers and tags, in JSON.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from caselog.errors import ConfigError
from caselog.store.engine import connect_jobs, own_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from dbos import DBOSClient, WorkflowStatus

    from caselog.workspace import Workspace

    Handler = Callable[..., dict[str, Any]]
    """Carries a job out; takes the job's numbers, gives what is kept of it. Must be safe to run again."""

APPLICATION: Final = "leadline"
PROTOCOL: Final = "1"
"""Of the jobs, not of the program: a newer release goes on with what an older one placed."""
SCHEMA: Final = "leadline_engine"
HOSTS, DESK = "hosts", "desk"
"""The queues: one job of a site at a time; everything else."""
DESK_AT_ONCE: Final = 2
HOSTS_POLL_S: Final = 0.25
DESK_POLL_S: Final = 1.0
"""How often a worker looks for jobs; a look costs some milliseconds of processor time."""
MOST_ATTEMPTS: Final = 1000
"""A job that was begun so often is set aside; it kills its worker."""
ACTIVE: Final = ("ENQUEUED", "PENDING", "DELAYED")
ENDED: Final = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
KEPT: Final = timedelta(days=1)
BATCH: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One piece of work to be carried out once."""

    name: str
    """Unique for all time; the same name is the same job."""
    kind: str
    numbers: tuple[int | str | tuple[int, ...], ...] = ()
    site_tag: str | None = None
    """Jobs of one site run one after another."""
    priority: int = 10
    """The smaller, the earlier among the jobs of a site."""
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A job that is not done yet."""

    name: str
    kind: str
    queue: str
    is_running: bool
    is_delayed: bool
    worker: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A kind of job that is placed again and again."""

    kind: str
    cron: str
    """Five fields, in UTC."""
    last_at: datetime | None = None
    next_at: datetime | None = None


class Orders:
    """Places jobs and looks at them; any process may, beside the workers."""

    def __init__(self, workspace: Workspace) -> None:
        from dbos import DBOSClient, DBOSPortableJSONSerializer

        self.database = connect_jobs(workspace.jobs_url())
        self._client: DBOSClient = DBOSClient(
            system_database_engine=self.database,
            dbos_system_schema=SCHEMA,
            serializer=DBOSPortableJSONSerializer(),
            application_name=APPLICATION,
            # It would wait up to a minute and a half between two tries, and heed no signal meanwhile.
            retry_connection_errors=False,
            lazy=True,
        )

    def close(self) -> None:
        """Close all connections."""
        self._client.destroy()
        self.database.dispose()

    def is_ready(self) -> bool:
        """Tell whether the tables of the jobs are there; the first worker makes them.

        Raises:
            OutageError: The database is away.
        """
        try:
            self.active("none:")
        except ConfigError:
            return False
        return True

    @own_errors()
    def place(self, job: Job) -> None:
        """Place a job; one of the same name is left as it is."""
        from dbos import EnqueueOptions

        options = EnqueueOptions(
            workflow_name=job.kind,
            queue_name=DESK if job.site_tag is None else HOSTS,
            workflow_id=job.name,
            app_version=PROTOCOL,
            priority=job.priority,
        )
        if job.site_tag is not None:
            options["queue_partition_key"] = job.site_tag
        if job.delay_s > 0:
            options["delay_seconds"] = job.delay_s
        self._client.enqueue(options, *job.numbers)

    @own_errors()
    def active(self, prefix: str | None = None) -> list[Standing]:
        """Return the jobs that are not done; with a prefix, those whose names begin so."""
        return [_standing(row) for row in self._rows(ACTIVE, workflow_id_prefix=prefix)]

    @own_errors()
    def results(self, prefix: str) -> list[dict[str, Any]]:
        """Return what is kept of the finished jobs whose names begin so."""
        found = self._rows(("SUCCESS",), workflow_id_prefix=prefix, load_output=True)
        return [row.output for row in found if isinstance(row.output, dict)]

    @own_errors()
    def hasten(self, names: Iterable[str]) -> None:
        """Let delayed jobs begin now."""
        for name in names:
            self._client.set_workflow_delay(name, delay_seconds=0.0)

    @own_errors()
    def drop(self, names: Collection[str]) -> None:
        """Let jobs never begin; one that runs is not stopped by it."""
        if names:
            self._client.cancel_workflows(list(names))

    @own_errors()
    def adopt(self, worker: int, running: Collection[str] = ()) -> list[str]:
        """Make jobs that a dead worker had begun begin anew, and return their names.

        Args:
            worker: Its number; the caller holds it, so that nobody else works under it.
            running: Jobs that are being carried out all the same.
        """
        rows = self._rows(("PENDING",), executor_id=str(worker))
        left = [row for row in rows if row.workflow_id not in running]
        for queue in {row.queue_name for row in left}:
            names = [row.workflow_id for row in left if row.queue_name == queue]
            self._client.resume_workflows(names, queue_name=queue)
        return [row.workflow_id for row in left]

    @own_errors()
    def workers(self) -> set[int]:
        """Return the numbers of the workers that have begun jobs, living or dead."""
        found = {row.executor_id for row in self._rows(("PENDING",))}
        return {int(number) for number in found if number and number.isdigit()}

    @own_errors()
    def prune(self, kept: timedelta = KEPT) -> int:
        """Delete jobs that were done before; return how many."""
        before = (datetime.now(UTC) - kept).isoformat()
        count = 0
        while rows := self._rows(ENDED, completed_before=before, limit=BATCH):
            self._client.delete_workflows([row.workflow_id for row in rows])
            count += len(rows)
        return count

    @own_errors()
    def schedules(self) -> list[Schedule]:
        """Return what is placed again and again, with the last time and the next."""
        from croniter import croniter

        found = []
        for row in self._client.list_schedules():
            last = row["last_fired_at"]
            cron = croniter(row["schedule"], datetime.now(UTC))
            next_at: datetime = cron.get_next(datetime)  # type: ignore[no-untyped-call]
            found.append(
                Schedule(
                    kind=row["workflow_name"],
                    cron=row["schedule"],
                    last_at=datetime.fromisoformat(last) if last else None,
                    next_at=next_at,
                )
            )
        return sorted(found, key=lambda schedule: schedule.kind)

    @own_errors()
    def set_schedules(self, schedules: Iterable[Schedule]) -> None:
        """Place each of these kinds of jobs as its cron line says; others are forgotten."""
        from dbos import ClientScheduleInput

        wanted = list(schedules)
        for name in {row["schedule_name"] for row in self._client.list_schedules()} - {
            one.kind for one in wanted
        }:
            self._client.delete_schedule(name)
        self._client.apply_schedules(
            [
                ClientScheduleInput(
                    schedule_name=one.kind, workflow_name=one.kind, schedule=one.cron, queue_name=DESK
                )
                for one in wanted
            ]
        )

    def _rows(self, status: Collection[str], **chosen: Any) -> list[WorkflowStatus]:
        # Given as None, a prefix would be one.
        wanted = {name: value for name, value in chosen.items() if value is not None}
        options = {"load_input": False, "load_output": False, "application_name": APPLICATION, **wanted}
        return self._client.list_workflows(status=list(status), **options)


def known_schedules(workspace: Workspace) -> list[Schedule]:
    """Return what is placed again and again; nothing where no worker has run yet."""
    orders = Orders(workspace)
    try:
        return orders.schedules()
    except ConfigError:
        return []
    finally:
        orders.close()


class Engine:
    """Carries jobs out, in threads of this process. There is one in a process at a time.

    Args:
        workspace: The opened workspace.
        worker: The number of this worker, which nobody else has.
        handlers: What carries each kind of job out.
        sites_at_once: How many jobs of sites run at the same time.
    """

    def __init__(
        self, workspace: Workspace, worker: int, handlers: Mapping[str, Handler], *, sites_at_once: int
    ) -> None:
        self._workspace = workspace
        self._worker = worker
        self._handlers = handlers
        self._sites_at_once = sites_at_once
        self._lock = threading.Lock()
        self._running: set[str] = set()

    def running(self) -> frozenset[str]:
        """Return the names of the jobs that are being carried out."""
        with self._lock:
            return frozenset(self._running)

    @own_errors()
    def start(self) -> None:
        """Begin to carry jobs out, those first that this worker's number had begun before.

        Raises:
            OutageError: The database is away.
        """
        from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer

        # It would write to standard error by itself, past our filter.
        logging.getLogger("dbos").addHandler(logging.NullHandler())
        logging.getLogger("dbos").propagate = True
        self._database = connect_jobs(self._workspace.jobs_url())
        DBOS(
            config=DBOSConfig(
                name=APPLICATION,
                system_database_engine=self._database,
                dbos_system_schema=SCHEMA,
                executor_id=str(self._worker),
                application_version=PROTOCOL,
                serializer=DBOSPortableJSONSerializer(),
                max_executor_threads=self._sites_at_once + DESK_AT_ONCE + 4,
                use_listen_notify=False,
                scheduler_polling_interval_sec=10.0,
                log_level="WARNING",
            )
        )
        for kind, handler in self._handlers.items():
            DBOS.workflow(name=kind, max_recovery_attempts=MOST_ATTEMPTS)(self._noted(kind, handler))
        DBOS.launch()
        DBOS.register_queue(
            HOSTS,
            worker_concurrency=self._sites_at_once,
            partition_concurrency=1,
            polling_interval_sec=HOSTS_POLL_S,
            on_conflict="always_update",
        )
        DBOS.register_queue(
            DESK,
            worker_concurrency=DESK_AT_ONCE,
            polling_interval_sec=DESK_POLL_S,
            on_conflict="always_update",
        )

    def stop(self) -> None:
        """Begin no more jobs; the caller has seen to it that those under way end."""
        from dbos import DBOS

        DBOS.destroy(destroy_registry=True)
        self._database.dispose()

    def _noted(self, kind: str, handler: Handler) -> Handler:
        from dbos import DBOS

        def carry_out(*numbers: Any) -> dict[str, Any]:
            name = DBOS.workflow_id or kind
            with self._lock:
                self._running.add(name)
            try:
                return handler(*numbers)
            finally:
                with self._lock:
                    self._running.discard(name)

        carry_out.__name__ = carry_out.__qualname__ = kind
        return carry_out


def _standing(row: WorkflowStatus) -> Standing:
    number = row.executor_id or ""
    return Standing(
        name=row.workflow_id,
        kind=row.name,
        queue=row.queue_name or DESK,
        is_running=row.status == "PENDING",
        is_delayed=row.status == "DELAYED",
        worker=int(number) if number.isdigit() else None,
    )
