"""Runs executed by the very process that asks for them: no worker, no queue, no Redis."""

from collections.abc import Callable
from uuid import UUID

from store.models import Status
from store.platform import Platform
from store.settings import Settings
from worker.children import Children
from worker.gathering import next_of
from worker.host import process_name, this_process
from worker.supervisor import CANCEL_GRACE_SECONDS, Reason, Supervisor

CANCELED = "Canceled on the command line."


class LocalWorker:
    """A worker for one run, in this process. Make it in the main thread: its nursery starts at once."""

    def __init__(self, settings: Settings, platform: Platform) -> None:
        name = process_name()
        # It adopts nothing: this process has children that no job has started, such as the helper's.
        self._children = Children(settings, name)
        self._children.start()
        self._supervisor = Supervisor(settings, platform, self._children, worker=name, process=this_process())

    def execute(self, result_id: UUID, on_beat: Callable[[], None]) -> bool:
        """Execute one attempt of a run, or of one that it waits for; False when none may start yet, or is to be done.

        on_beat: called every few seconds meanwhile, and after a `look` at once.
        """
        self._supervisor.on_beat = on_beat
        with self._supervisor.platform.reading() as db:
            next_id = next_of(db, result_id)
        return next_id is not None and self._supervisor.execute(next_id) is not None

    def look(self) -> None:
        """Have `on_beat` called at once. A signal handler may call this."""
        self._supervisor.look()

    def cancel(self) -> None:
        """Ask the run that goes on to end."""
        self._supervisor.ask_to_end(Reason(Status.CANCELED, CANCELED, CANCEL_GRACE_SECONDS))

    def close(self) -> None:
        """End every process that was started for the run."""
        self._supervisor.close()
        self._children.stop()
