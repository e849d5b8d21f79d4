"""The RQ worker: takes ids from its queues and watches over the child that executes each.

`./errand worker` starts it, and so does RQ's own command:
    rq worker --worker-class worker.rq_worker.Worker default
Whatever a payload says, nothing is imported or unpickled from it: the id alone counts.
"""

import os
import signal
import sys
import time
import zlib
from typing import Any
from uuid import UUID

import rq
import rq.job
import rq.utils
from redis import Redis
from redis.exceptions import RedisError
from rq.serializers import JSONSerializer
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from store.data import Data
from store.html import warm_up
from store.models import Status
from store.platform import make_engine
from store.settings import VARIABLES, Settings, load_settings
from worker import executor
from worker.host import die_with_parent, kill_group, this_process
from worker.markers import bury
from worker.ownership import Beat, beat, end_for_worker, running_attempt
from worker.queues import connect, is_own_payload, own_payload

#: How often the parent looks at its child, raises the beat and learns of a cancel.
WATCH_SECONDS = 2

#: A run may end by itself for this long after its limit (its `post_run`), or after the worker was told to stop.
LIMIT_GRACE_SECONDS = 10.0
STOP_GRACE_SECONDS = 60.0

#: How long the end of a run is tried to be written while the database is away.
SETTLE_SECONDS = 30.0
RETRY_SECONDS = 0.5

STOPPED = "The worker was stopped while the job was running."

#: What RQ's record of a job may say. Everything else in it could name code to import or addresses to call.
_KNOWN = frozenset(
    b"created_at enqueued_at started_at ended_at last_heartbeat origin worker_name description timeout result_ttl "
    b"failure_ttl status".split()
)


class ForeignPayload(Exception):
    """Something in the queue that Errand did not put there."""


class QueuedRun(rq.job.Job):
    """RQ's view of a queued id."""

    foreign = False

    def restore(self, raw_data: dict[bytes, bytes]) -> None:
        self.foreign = not is_own_payload(_payload(raw_data), self.id)
        known = {key: value for key, value in raw_data.items() if key in _KNOWN}
        own = {b"data": own_payload(self.id)}
        try:
            super().restore({**known, **own})
        except ValueError:
            # A date or number that is none: RQ would give up the whole worker over it.
            super().restore(own)


def _payload(raw_data: dict[bytes, bytes]) -> bytes:
    """Return the payload as it was pushed: RQ compresses it."""
    data = raw_data.get(b"data", b"")
    try:
        return zlib.decompressobj().decompress(data, 10_000)
    except zlib.error:
        return data


class Worker(rq.Worker):
    """Forks a child for each run; the parent watches from outside."""

    job_class = QueuedRun

    def __init__(self, *args: Any, settings: Settings | None = None, **kwargs: Any) -> None:
        # Set whatever RQ's command line says: a pickle from the queue would be code from the queue.
        kwargs["serializer"] = JSONSerializer
        kwargs["job_class"] = QueuedRun
        kwargs["job_monitoring_interval"] = WATCH_SECONDS
        kwargs["maintenance_interval"] = 30
        kwargs["worker_ttl"] = 60
        super().__init__(*args, **kwargs)
        # RQ's own command makes plain queues, whose jobs may name functions to call when they fail.
        self.queues = [self._own_queue(queue) for queue in self.queues]
        self._ordered_queues = self.queues[:]
        self.settings = settings or load_settings()
        warm_up()
        self.process = this_process()
        self.stop_grace_seconds = STOP_GRACE_SECONDS
        self.log_job_description = False
        # No pool: a connection that a child inherits is a connection that two processes use.
        self._engine = make_engine(self.settings.database_url, poolclass=NullPool)
        self._reading = self._engine.execution_options(sqlite_begin="DEFERRED")
        self._data = Data(self.settings.data_database_url)
        # For what must not wait: the other connection waits minutes for a Redis that hangs.
        self._brisk = connect(self.settings)
        self._end: tuple[Status, str] | None = None
        self._exit_status: int | None = None
        self._began = 0.0
        self._told_to_stop_at: float | None = None
        self._leaving = False

    # In the parent

    def _set_ip_address(self, connection: Redis) -> None:
        try:
            super()._set_ip_address(connection)
        except ValueError:
            # The client library cannot read an answer that names a socket with a blank in its path.
            self.ip_address = "unknown"

    def clean_registries(self) -> None:
        try:
            super().clean_registries()  # type: ignore[no-untyped-call]
        except ValueError as error:
            # Something that is no id lies in a list of RQ's. Our own reconciler does not need this cleaning.
            self.log.warning("Worker %s: RQ could not clean up: %s", self.name, error)

    def _own_queue(self, queue: rq.Queue) -> rq.Queue:
        return rq.Queue(
            queue.name, connection=self.connection, serializer=JSONSerializer, job_class=QueuedRun
        )

    def execute_job(self, job: rq.job.Job, queue: rq.Queue) -> None:
        self._end, self._exit_status, self._began = None, None, time.monotonic()
        try:
            super().execute_job(job, queue)
        finally:
            # Also when the worker is being stopped, or broke: the run must not be left as running, nor its child.
            if self.horse_pid:
                self.kill_horse(signal.SIGKILL)
                self.wait_for_horse()
            self._settle(job)

    def fork_work_horse(self, job: rq.job.Job, queue: rq.Queue) -> None:
        self._data.dispose()
        # What is buffered would be written twice, by the parent and by the child.
        sys.stdout.flush()
        sys.stderr.flush()
        super().fork_work_horse(job, queue)

    def wait_for_horse(self) -> Any:
        group = self.horse_pid
        pid, status, usage = super().wait_for_horse()
        self._exit_status = status
        # What the job started and left behind ends with it.
        kill_group(group)
        return pid, status, usage

    def maintain_heartbeats(self, job: rq.job.Job, execution: Any) -> None:
        self._watch(job)
        blocking, self.connection = self.connection, self._brisk
        try:
            super().maintain_heartbeats(job, execution)
        except RedisError as error:
            # The run does not need Redis. It goes on, and so does the watch over it.
            self.log.warning("Worker %s: Redis does not answer: %s", self.name, error)
        finally:
            self.connection = blocking

    def request_stop(self, signum: Any, frame: Any) -> None:
        self._told_to_stop_at = time.monotonic()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def request_force_stop(self, signum: Any, frame: Any) -> None:
        if self._leaving:
            return  # A third signal must not interrupt it while it writes the end of the run.
        # RQ kills the child now; without this its end would read like a crash.
        self._end = self._end or (Status.ERRORED, STOPPED)
        try:
            super().request_force_stop(signum, frame)
        except SystemExit:
            self._leaving = True
            raise

    def _watch(self, job: rq.job.Job) -> None:
        """Raise the beat, and end the child when its time is up or somebody canceled the run."""
        state = self._beat(job)
        if state is None:
            return
        if state.canceled_by:
            self._end_child(Status.CANCELED, f"Canceled by {state.canceled_by}.")
        elif time.monotonic() - self._began > state.time_limit + LIMIT_GRACE_SECONDS:
            cause = f"The run did not end at its time limit of {state.time_limit:g} seconds and was killed."
            self._end_child(Status.ERRORED, cause)
        elif self._stopping_for() > self.stop_grace_seconds:
            self._end_child(Status.ERRORED, STOPPED)

    def _beat(self, job: rq.job.Job) -> Beat | None:
        try:
            with self._engine.begin() as connection:
                return beat(connection, UUID(job.id), worker=self.name)
        except SQLAlchemyError as error:
            # The database is restarting: the child writes when it is back, and so does the next beat.
            self.log.warning("Worker %s: no beat for %s: %s", self.name, job.id, error)
            return None

    def _stopping_for(self) -> float:
        return 0.0 if self._told_to_stop_at is None else time.monotonic() - self._told_to_stop_at

    def _end_child(self, status: Status, cause: str) -> None:
        self._end = (status, cause)
        self.kill_horse(signal.SIGKILL)

    def _settle(self, job: rq.job.Job) -> None:
        """End the run in the child's place, if the child could not."""
        status, cause = self._end or (Status.ERRORED, self._said())
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            try:
                self._end_run(UUID(job.id), status, cause)
                return
            except ValueError:
                return  # No id of ours.
            except OperationalError as error:
                self.log.error("Worker %s: the end of %s is not written yet: %s", self.name, job.id, error)
                if time.monotonic() > deadline:
                    return  # The reconciler ends it: nobody raises its beat any more.
                time.sleep(RETRY_SECONDS)

    def _end_run(self, result_id: UUID, status: Status, cause: str) -> None:
        with self._reading.connect() as connection:
            attempt = running_attempt(connection, result_id, worker=self.name)
        if attempt is None:
            return  # Its child ended it, as it should.
        # Before the end is written: from here on nothing of this run can be saved any more.
        cause = f"{cause} {bury(self._data, result_id, attempt)}"
        with self._engine.begin() as connection:
            if end_for_worker(connection, result_id, worker=self.name, status=status, cause=cause):
                self.log.warning("Worker %s: %s ended: %s", self.name, result_id, cause)

    def _said(self) -> str:
        """Say in words how the child ended without writing the end itself."""
        if self._exit_status is None:
            return STOPPED if self._told_to_stop_at else "The worker broke in mid-run."
        return _said_of_exit(self._exit_status)

    # In the child

    def main_work_horse(self, job: rq.job.Job, queue: rq.Queue) -> None:
        die_with_parent(self.process.pid)
        # A first step only: the engine that is to come gives a job a process that never knew them.
        for name in VARIABLES:
            os.environ.pop(name, None)
        super().main_work_horse(job, queue)

    def setup_work_horse_signals(self) -> None:
        super().setup_work_horse_signals()  # type: ignore[no-untyped-call]
        # Whoever stops a service signals all of its processes; the worker decides when a run has to end. A handler,
        # and not SIG_IGN: programs that the job starts get the usual behaviour back.
        signal.signal(signal.SIGTERM, lambda *_: None)

    def perform_job(self, job: rq.job.Job, queue: rq.Queue, execution: Any) -> bool:
        """Execute the run the id stands for. RQ's own way of calling a function is never taken."""
        try:
            if not isinstance(job, QueuedRun) or job.foreign:
                raise ForeignPayload(f"{job.id} was not put on the queue by Errand; it is not run.")
            self.prepare_job_execution(job, len(self.queues) == 1)
            job.started_at = rq.utils.now()
            executor.execute(self.settings, UUID(job.id), worker=self.name, process=self.process)
            self._finalize_success(job, queue, execution, None)
        except Exception:
            self._finalize_failure(job, queue, execution, sys.exc_info())
            return False
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
        return True


def _said_of_exit(exit_status: int) -> str:
    if os.WIFSIGNALED(exit_status):
        number = os.WTERMSIG(exit_status)
        hint = " (out of memory?)" if number == signal.SIGKILL else ""
        how = f"was killed by signal {number}, {signal.strsignal(number)}{hint}"
    else:
        how = f"exited with status {os.WEXITSTATUS(exit_status)} without a result"
    return f"The job's process {how}."
