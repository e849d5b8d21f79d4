"""The steps of a run, one by one, in the hands of a test."""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import update

from store.models import JobRecord, JobResult, Status
from worker import ownership, queues
from worker.host import Process, this_process
from worker.ownership import Claim, began, claim, end_values
from worker.pushes import release
from worker.queues import listed_ids
from worker.reconciler import Reconciler, Report

if TYPE_CHECKING:
    from tests.worker.conftest import Portal


GONE = Process(host="another-machine", pid=1, started="1")


class Engine:
    """The rules in the hands of a test: claim, begin, end, reconcile, each as its process would."""

    def __init__(self, portal: "Portal") -> None:
        self.portal = portal
        self.reconciler = Reconciler(portal.settings, portal.platform)

    def rule(self, job: str, **facts: Any) -> None:
        with self.portal.platform.session() as db:
            db.execute(update(JobRecord).where(JobRecord.id == self.portal.jobs[job].id).values(**facts))
            db.commit()

    def start(self, result: JobResult, process: Process | None = None) -> Claim | None:
        """Claim it as a worker would, which has taken its id from the queue."""
        queues.withdraw(self.portal.settings, result.id, queue=result.queue, priority=result.priority)
        taken = claim(self.portal.platform, result.id, worker="w-1", process=process or this_process())
        if taken is not None:
            began(self.portal.platform, taken)
        return taken

    def end(self, taken: Claim, status: Status = Status.COMPLETED, cause: str = "Done.") -> list[UUID]:
        with self.portal.platform.engine.begin() as connection:
            values = end_values(connection, taken, status, cause)
            ownership.write(connection, taken, **values)
        return release(self.portal.platform, self.portal.settings, taken.result_id)

    def reconcile(self) -> Report:
        return self.reconciler.run_once()

    def waiting(self) -> list[UUID]:
        return [
            result_id
            for priority in ("high", "normal", "low")
            for result_id in listed_ids(self.portal.settings, "default", priority)
        ]

    def write(self, result: JobResult, **values: Any) -> None:
        with self.portal.platform.session() as db:
            db.execute(update(JobResult).where(JobResult.id == result.id).values(**values))
            db.commit()


#: Moves the clock of the rules on by so many seconds, and says what time it is then.
Clock = Callable[[float], datetime]


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """Do all of it in threads that begin together; return what each answered or raised."""
    answers: list[Any] = [None] * len(acts)
    barrier = threading.Barrier(len(acts))

    def act(number: int) -> None:
        barrier.wait()
        try:
            answers[number] = acts[number]()
        except Exception as error:
            answers[number] = error

    threads = [threading.Thread(target=act, args=(number,)) for number in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
