"""The RQ worker: takes ids from its queues and has each run executed under its eyes.

`./errand worker` starts it, and so does RQ's own command:
    rq worker --worker-class worker.rq_worker.Worker default
Whatever lies in Redis, nothing is imported or unpickled from it: the id alone counts.
"""

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import rq
import rq.job
import rq.utils
from redis import Redis
from redis.exceptions import RedisError
from rq.command import parse_payload
from rq.executions import Execution
from rq.job import JobStatus
from rq.serializers import JSONSerializer
from rq.worker.base import WorkerStatus
from sqlalchemy.exc import SQLAlchemyError

from store.html import warm_up
from store.models import Status
from store.platform import Platform
from store.schema import NOT_UPGRADED, seen_behind
from store.settings import Settings, load_settings
from worker.children import Children
from worker.duty import STANDSTILL_SECONDS, Duty, Facts
from worker.failpoints import reach
from worker.host import this_process
from worker.presence import BUSY, DRAINING, IDLE, WORKER
from worker.queues import KEEP_SECONDS, LOOK, connect, eviction_warning, own_payload, pop_lists, wake_key
from worker.supervisor import BEAT_SECONDS, Reason, Supervisor

#: An idle worker looks at its queues this often even when nobody woke it.
IDLE_SECONDS = 5

#: A run may go on for this long after the worker was told to stop.
STOP_GRACE_SECONDS = 60.0

#: `rq suspend` is seen this soon.
SUSPENSION_SECONDS = 1.0

#: How long to wait before Redis is asked again that did not answer.
RETRY_SECONDS = 1.0

#: Takes the first id there is from pairs of lists (where ids wait, where they are on their way), in this order.
POP = """
for number = 1, #KEYS, 2 do
    local id = redis.call('LMOVE', KEYS[number], KEYS[number + 1], 'LEFT', 'RIGHT')
    if id then return {number, id} end
end
return false
"""

#: What RQ's record of a job may say. Everything else in it could name code to import or addresses to call.
_KNOWN = frozenset(
    b"created_at enqueued_at started_at ended_at last_heartbeat origin worker_name description timeout result_ttl "
    b"failure_ttl status".split()
)


class QueuedRun(rq.job.Job):
    """RQ's view of a queued id."""

    def restore(self, raw_data: dict[bytes, bytes]) -> None:
        known = {key: value for key, value in raw_data.items() if key in _KNOWN}
        own = {b"data": own_payload(self.id)}
        try:
            super().restore({**known, **own})
        except ValueError:
            # A date or number that is none: RQ would give up the whole worker over it.
            super().restore(own)


class Worker(rq.Worker):
    """Runs are executed in processes that a nursery forks; this one watches (see worker.supervisor)."""

    job_class = QueuedRun

    def __init__(self, *args: Any, settings: Settings | None = None, **kwargs: Any) -> None:
        # Set whatever RQ's command line says: a pickle from the queue would be code from the queue.
        kwargs["serializer"] = JSONSerializer
        kwargs["job_class"] = QueuedRun
        kwargs["job_monitoring_interval"] = int(BEAT_SECONDS)
        kwargs["maintenance_interval"] = 30
        kwargs["worker_ttl"] = 60
        super().__init__(*args, **kwargs)
        # RQ's own command makes plain queues, whose jobs may name functions to call when they fail.
        self.queues = [self._own_queue(queue.name) for queue in self.queues]
        self._ordered_queues = self.queues[:]
        self.settings = settings or load_settings()
        self.stop_grace_seconds = STOP_GRACE_SECONDS
        #: What it says of itself, for people.
        self.labels: Sequence[str] = ()
        self.log_job_description = False
        #: (queue, list of its ids), the most urgent first.
        self._lists = [
            (queue.name, self._own_queue(name)) for queue in self.queues for name in pop_lists(queue.name)
        ]
        self._pop_script = self.connection.register_script(POP)
        # For what must not wait: the other connection waits minutes for a Redis that hangs.
        self._brisk = connect(self.settings)
        self._now_running: tuple[QueuedRun, Execution] | None = None
        #: The end of a run that Redis has not heard of yet.
        self._unsaid: tuple[QueuedRun, rq.Queue, Execution, str | None, datetime] | None = None
        self._done = self._failed = 0
        self._asked_for_suspension_at = self._said_alive_at = float("-inf")
        self._leaving = False

    # Beginning and end

    def bootstrap(self, *args: Any, **kwargs: Any) -> None:
        # Here and not when it is made: RQ also makes workers only to read what it says of them.
        if seen_behind(self.settings.database_url):
            raise SystemExit(NOT_UPGRADED)
        children = Children(self.settings, self.name, adopt=True)
        children.start()
        warm_up()
        platform = Platform(
            self.settings.database_url, standstill_seconds=STANDSTILL_SECONDS, pool_pre_ping=False
        )
        self.supervisor = Supervisor(
            self.settings,
            platform,
            children,
            worker=self.name,
            process=this_process(),
            stop_grace_seconds=self.stop_grace_seconds,
        )
        self.supervisor.on_beat = self._beat
        self.duty = Duty(
            self.settings,
            kind=WORKER,
            name=self.name,
            queues=self.queue_names(),
            process=self.supervisor.process,
            facts=self._facts,
            labels=self.labels,
        )
        self._join_others(*args, **kwargs)
        self._warn_of_eviction()
        self.duty.start()

    def _join_others(self, *args: Any, **kwargs: Any) -> None:
        """Do RQ's own part of the beginning, as soon as Redis lets us."""
        again = False
        while True:
            try:
                if again:
                    # It may know our name from the last try, and RQ would take that for somebody else's.
                    self.connection.delete(self.key)
                super().bootstrap(*args, **kwargs)
                return
            except RedisError as error:
                self.log.error("Worker %s: Redis does not answer: %s", self.name, error)
                again = True
                time.sleep(RETRY_SECONDS)

    def _warn_of_eviction(self) -> None:
        with suppress(RedisError):
            if warning := eviction_warning(self.settings):
                self.log.warning("%s", warning)

    def teardown(self) -> None:
        self.supervisor.close()
        self.supervisor.children.stop()
        self.supervisor.platform.dispose()
        self.duty.end()
        try:
            with self.connection.pipeline() as pipeline:
                self._say_end(pipeline)
                pipeline.execute()
            super().teardown()  # type: ignore[no-untyped-call]
        except RedisError as error:
            self.log.warning("Worker %s: it could not say good-bye to Redis: %s", self.name, error)

    def _set_ip_address(self, connection: Redis) -> None:
        try:
            super()._set_ip_address(connection)
        except ValueError:
            # The client library cannot read an answer that names a socket with a blank in its path.
            self.ip_address = "unknown"

    def _own_queue(self, name: str) -> rq.Queue:
        return rq.Queue(name, connection=self.connection, serializer=JSONSerializer, job_class=QueuedRun)

    def request_stop(self, signum: Any, frame: Any) -> None:
        self.supervisor.told_to_stop_at = time.monotonic()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def set_shutdown_requested_date(self) -> None:
        # Said from within a signal handler: what it raised would end the run that goes on.
        with self._briskly():
            super().set_shutdown_requested_date()  # type: ignore[no-untyped-call]

    def request_force_stop(self, signum: int, frame: Any) -> None:
        if self._leaving:
            return  # It is writing how its run ended; being told again must not keep it from that.
        try:
            super().request_force_stop(signum, frame)
        except SystemExit:
            self._leaving = True
            raise

    # What others ask of it

    def handle_payload(self, message: dict[str, Any]) -> None:
        if parse_payload(message).get("command") == LOOK:
            self.supervisor.look()
            return
        super().handle_payload(message)  # type: ignore[no-untyped-call]

    def request_stop_execution(self, execution_id: str) -> None:
        """Called for RQ's commands that stop a job."""
        if execution_id in self.executions:
            self.supervisor.ask_to_end(Reason(Status.CANCELED, "Stopped by a command of RQ.", 0))

    def kill_horse(self, sig: signal.Signals = signal.SIGKILL) -> None:
        self.supervisor.ask_to_end(Reason(Status.ERRORED, "Killed by a command of RQ.", 0))

    # What RQ does besides; none of it may end the worker

    def check_for_suspension(self, burst: bool) -> None:
        # Not before every run: it is a way to Redis and back.
        if time.monotonic() - self._asked_for_suspension_at < SUSPENSION_SECONDS:
            return
        self._asked_for_suspension_at = time.monotonic()
        try:
            super().check_for_suspension(burst)
        except RedisError:
            return  # What follows waits until it is back.

    def run_maintenance_tasks(self) -> None:
        try:
            super().run_maintenance_tasks()  # type: ignore[no-untyped-call]
        except (RedisError, ValueError) as error:
            # Also when something that is no id lies in a list of RQ's. Our own reconciler does not need this.
            self.last_cleaned_at = cast(Any, rq.utils.now())
            self.log.warning("Worker %s: RQ could not clean up: %s", self.name, error)

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Say in Redis that the worker lives; not oftener than every second."""
        # Not RQ's own note of it: where the clock was set back, that lies ahead for an hour.
        if time.monotonic() - self._said_alive_at < 1:
            return
        self._said_alive_at = time.monotonic()
        with self._briskly():
            super().heartbeat(timeout, pipeline)

    def _beat(self) -> None:
        if self._now_running is None:
            return
        job, execution = self._now_running
        # RQ expects an answer to each of the commands it sends now.
        self._said_alive_at = float("-inf")
        with self._briskly():
            self.maintain_heartbeats(job, execution)

    @contextmanager
    def _briskly(self) -> Iterator[None]:
        """Say something to a Redis that may be gone, or hang: neither runs nor the watch over them need it."""
        blocking, self.connection = self.connection, self._brisk
        try:
            yield
        except RedisError as error:
            self.log.warning("Worker %s: Redis does not answer: %s", self.name, error)
        finally:
            self.connection = blocking

    def _facts(self) -> Facts:
        running = self._now_running
        draining = self._stop_requested or self.duty.drain
        return Facts(
            state=DRAINING if draining else BUSY if running else IDLE,
            result_id=UUID(running[0].id) if running else None,
            memory_bytes=self.supervisor.memory_bytes(),
            done=self._done,
            failed=self._failed,
        )

    # Taking ids

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[rq.job.Job, rq.Queue] | None:
        """Wait for the next id. No `timeout`: None as soon as there is none.

        Not RQ's own way: with several queues it takes an id out of Redis before anything says where it went.
        """
        idle_since = time.monotonic()
        while True:
            if self.duty.drain:
                return None
            try:
                self._state = WorkerStatus.IDLE
                taken = self._pop()
                if taken is not None or timeout is None:
                    return taken
                if max_idle_time is not None and time.monotonic() - idle_since >= max_idle_time:
                    return None
                self._wait_for_more()
            except RedisError as error:
                self.log.error("Worker %s: Redis does not answer: %s", self.name, error)
                time.sleep(RETRY_SECONDS)

    def _pop(self) -> tuple[rq.job.Job, rq.Queue] | None:
        lists = [queue for name, queue in self._lists if name not in self.duty.paused]
        keys = [key for queue in lists for key in (queue.key, queue.intermediate_queue_key)]
        with self.connection.pipeline(transaction=False) as pipeline:
            self._say_end(pipeline)
            self.set_state(WorkerStatus.IDLE, pipeline)
            self.heartbeat(pipeline=pipeline)
            self._pop_script(keys, client=pipeline)
            answer = pipeline.execute()[-1]
        if not answer:
            return None
        queue = lists[(answer[0] - 1) // 2]
        try:
            job_id = str(UUID(answer[1].decode("ascii")))
        except ValueError:
            # Not ours, and nothing anybody could run.
            self.connection.lrem(queue.intermediate_queue_key, 1, answer[1])
            return self._pop()
        return QueuedRun(job_id, connection=self.connection, serializer=JSONSerializer), queue

    def _wait_for_more(self) -> None:
        """Wait until something is pushed to one of the queues, or for a moment."""
        self.supervisor.idle()
        if self.should_run_maintenance_tasks:
            self.run_maintenance_tasks()
        self.connection.blpop(
            [wake_key(queue.name) for queue in self.queues], timeout=1 if self.duty.paused else IDLE_SECONDS
        )

    # Executing

    def execute_job(self, job: rq.job.Job, queue: rq.Queue) -> None:
        reach("worker.popped")
        run = cast(QueuedRun, job)
        run.origin = queue.name
        execution = self._note_start(run, queue)
        self._now_running = (run, execution)
        status: str | None = None
        try:
            status = self.supervisor.execute(UUID(run.id))
            reach("worker.written")
        except SQLAlchemyError as error:
            # The row waits, or its beat stands still now: a reconciler sees to both.
            self.log.error("Worker %s: the database does not answer: %s", self.name, error)
        finally:
            self._now_running = None
            self._done += status is not None
            self._failed += status in (Status.FAILED, Status.ERRORED)
            self._note_end(run, queue, execution, status)

    def _note_start(self, job: QueuedRun, queue: rq.Queue) -> Execution:
        """Have RQ's registries tell what runs where."""
        try:
            with self.connection.pipeline() as pipeline:
                self._say_end(pipeline)
                execution = Execution.create(
                    job, self.get_heartbeat_ttl(job), pipeline=pipeline, worker_name=self.name
                )
                self.executions[execution.id] = execution
                self.set_state(WorkerStatus.BUSY, pipeline=pipeline)
                job.prepare_for_execution(self.name, pipeline=pipeline)
                pipeline.lrem(queue.intermediate_queue_key, 1, job.id)
                pipeline.execute()
            return execution
        except RedisError as error:
            self.log.warning("Worker %s: Redis does not answer: %s", self.name, error)
            self._state = WorkerStatus.BUSY
            return Execution("unnoted", job.id, self.connection, self.name)

    def _note_end(self, job: QueuedRun, queue: rq.Queue, execution: Execution, status: str | None) -> None:
        """Have RQ's registries tell how it ended: said with the next thing there is to say, which follows at once."""
        self.executions.pop(execution.id, None)
        self._unsaid = (job, queue, execution, status, rq.utils.now())

    def _say_end(self, pipeline: Any) -> None:
        if self._unsaid is None:
            return
        (job, queue, execution, status, done), self._unsaid = self._unsaid, None
        registry, rq_status = {
            Status.COMPLETED: (queue.finished_job_registry, JobStatus.FINISHED),
            Status.FAILED: (queue.failed_job_registry, JobStatus.FAILED),
            Status.ERRORED: (queue.failed_job_registry, JobStatus.FAILED),
            Status.CANCELED: (queue.canceled_job_registry, JobStatus.CANCELED),
        }.get(status, (None, None))  # type: ignore[call-overload]
        execution.delete(job, pipeline=pipeline)
        if registry is None:
            # Nothing has ended: somebody else has it, or it waits again.
            pipeline.delete(job.key)
            return
        pipeline.hset(job.key, mapping={"status": rq_status, "ended_at": rq.utils.utcformat(done)})
        pipeline.expire(job.key, KEEP_SECONDS)
        pipeline.zadd(registry.key, {job.id: int(done.timestamp()) + KEEP_SECONDS})
        if rq_status is JobStatus.FINISHED:
            self.increment_successful_job_count(pipeline)
        else:
            self.increment_failed_job_count(pipeline)
        if job.started_at:
            self.increment_total_working_time(done - job.started_at, pipeline)
