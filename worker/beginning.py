"""Before the job's code: whether a run may begin still, and what its child is told of it."""

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from jobs.errors import JobNotFound
from jobs.kinds import secret_names
from store.files import FileGone, FileStore
from store.models import READY, Gathering, JobRecord
from store.platform import Platform
from store.sealing import CannotOpen, open_box
from store.settings import Settings, SettingsError
from worker import data_files, frames, outcomes, rules, run_files
from worker.approvals import approved_code, why_not
from worker.entries import Entry, RunLog, Ticket, Writer
from worker.keyring import Keyring
from worker.masking import Mask
from worker.origins import PLAN, REHEARSALS
from worker.ownership import Claim, Run
from worker.plans import ApprovedPlan, approved_plan
from worker.rights import may_still_run
from worker.sources import source_of, sources_for_run

logger = logging.getLogger("errand.worker")


class CannotBegin(Exception):
    """The run ends before its job's code is called, as a sentence."""


class Keeper(Protocol):
    """What is needed of the supervisor."""

    settings: Settings
    platform: Platform
    keyring: Keyring
    filer: Writer

    @property
    def files(self) -> FileStore: ...


class Beginning:
    """How one claimed run begins.

    wait: waits for what may take long, while nobody may take the run for lost.
    """

    def __init__(
        self,
        keeper: Keeper,
        claimed: Claim,
        *,
        mask: Mask,
        log: RunLog,
        folder: Path,
        wait: Callable[[Ticket], None],
    ) -> None:
        self._keeper = keeper
        self._claim = claimed
        self._mask = mask
        self._log = log
        self._folder = folder
        self._wait = wait
        #: The git commit its files are of, where they come from a repository.
        self.commit = ""
        #: In its second part: what its first part left.
        self.first: dict[str, Any] = {}
        #: What it may change, where somebody has approved just that.
        self.approved_plan: ApprovedPlan | None = None

    def order(self) -> frames.Order:
        """Return the facts of the run for its child. Asks again whether it may run: much may have changed. Raises CannotBegin."""
        run = self._claim.run
        _check_may_run(self._keeper.platform, self._claim)
        return frames.Order(
            result_id=str(self._claim.result_id),
            attempt=self._claim.attempt,
            job_id=_hex(run.origin_id if run.origin == "schedule" else run.job_id),
            class_path=run.class_path,
            username=run.username,
            data=self._inputs(run),
            commit=run.commit,
            profile=run.profile,
            read_only=bool(run.job_read_only),
            soft_time_limit=run.soft_time_limit,
            time_limit=run.time_limit,
            memory_limit=run.memory_limit,
            data_url=self._keeper.settings.data_database_url,
            sources=self._sources(run),
            folder=str(self._folder),
            request=run.request,
            sealed=sorted(run.sealed_facts or ()),
            # Of a request that still waits they were judged, and its code is the same.
            reused=run.sealed_for is not None and run.origin not in REHEARSALS,
            approved_code=self._approved_code(run),
            plan=self._plan_asked(run) if run.gathers != READY else "",
            gather=self._gather_asked(run),
        )

    def _approved_code(self, run: Run) -> str:
        if not run.job_approval_required:
            return ""
        with self._keeper.platform.reading() as db:
            return approved_code(db, self._claim.result_id)

    def _plan_asked(self, run: Run) -> str:
        if run.origin == PLAN:
            return "make"
        if run.job_approval_required:
            with self._keeper.platform.reading() as db:
                self.approved_plan = approved_plan(db, self._claim.result_id)
        return "keep" if self.approved_plan else ""

    def _gather_asked(self, run: Run) -> dict[str, Any] | None:
        if run.gathers != READY:
            return None
        with self._keeper.platform.reading() as db:
            gathering = db.get_one(Gathering, self._claim.result_id)
            count = outcomes.count(db, self._claim.result_id)
        self.first = gathering.first
        return {"method": gathering.method, "count": count, "results": self.first.get("results") or {}}

    def say_ignored_lock(self) -> None:
        with self._keeper.platform.reading() as db:
            others = rules.running_beside(db, self._claim.result_id, self._claim.concurrency_key or "")
        first = others[0] if others else None
        entry = Entry(
            "warning",
            "initialization",
            _said_of_lock(others),
            object_text=f"Run {_short(first)}" if first else None,
            object_url=f"/results/{first}" if first else None,
            created_at=time.time(),
        )
        self._log.add(entry, ours=True)

    def _inputs(self, run: Run) -> dict[str, Any]:
        data = run.data
        if run.box:
            data = {**data, **self._opened(run, run.box)}
        if run.uploads:
            data = {**data, **self._lend()}
        return {**data, **self._lend_data_files(data)} if run.job_takes_data_files else data

    def _opened(self, run: Run, box: bytes) -> dict[str, Any]:
        try:
            opened = open_box(
                box,
                class_path=run.class_path,
                facts=run.sealed_facts or {},
                private_key_of=self._keeper.keyring.get,
                secret_key=self._keeper.settings.secret_key,
            )
        except (CannotOpen, SettingsError) as error:
            raise CannotBegin(str(error)) from error
        self._mask.hide([*opened.secrets, *self._secret_today(opened.data)])
        return opened.data

    def _secret_today(self, data: dict[str, Any]) -> list[str]:
        """Return the values of what has become a secret since the box was closed."""
        with self._keeper.platform.reading() as db:
            query = select(JobRecord.variables).where(JobRecord.class_path == self._claim.run.class_path)
            names = secret_names(db.scalar(query) or ())
        return [str(data[name]) for name in names if data.get(name)]

    def _lend(self) -> dict[str, Any]:
        try:
            return self._lent()
        except FileGone as error:
            raise CannotBegin("A file that this run was given is not there any more.") from error
        except OSError as error:
            raise CannotBegin(
                f"The files of this run could not be put in place: {error.strerror}."
            ) from error
        except OperationalError:
            raise
        except Exception as error:  # Each kind of store raises what it likes.
            logger.error("The files of %s cannot be had.", self._claim.result_id, exc_info=error)
            raise CannotBegin(f"The files of this run cannot be had: {type(error).__name__}.") from error

    def _lend_data_files(self, data: dict[str, Any]) -> dict[str, Any]:
        settings, engine = self._keeper.settings, self._keeper.platform.engine
        try:
            return dict(data_files.lend(settings, engine, self._claim.result_id, data, self._folder))
        except data_files.DataFileMissing as error:
            raise CannotBegin(str(error)) from error
        except OSError as error:
            raise CannotBegin(
                f"The data files of this run could not be put in place: {error.strerror}."
            ) from error

    def _lent(self) -> dict[str, dict[str, Any]]:
        keeper, claimed = self._keeper, self._claim
        ticket = keeper.filer.ask(
            lambda: run_files.lend(keeper.platform.engine, keeper.files, claimed.result_id, self._folder)
        )
        self._wait(ticket)
        if ticket.error is not None:
            raise ticket.error
        lent: dict[str, dict[str, Any]] = ticket.value
        if len(lent) < claimed.run.uploads:
            # A job must not take a file that is gone for one that was not given.
            raise FileGone
        return lent

    def _sources(self, run: Run) -> list[dict[str, Any]]:
        try:
            sources = sources_for_run(
                self._keeper.platform, self._keeper.settings, run.class_path, run.source_digest
            )
        except JobNotFound as error:
            raise CannotBegin(str(error)) from error
        source = source_of(sources, run.class_path)
        if source is not None and source.snapshot:
            self.commit = source.commit
            self._log.note(source_digest=source.snapshot)
        return [source.as_data() for source in sources]


def _check_may_run(platform: Platform, claimed: Claim) -> None:
    run = claimed.run
    if not run.job_installed:
        raise CannotBegin(f"Unable to locate job {run.class_path} to run it!")
    if not run.job_enabled:
        raise CannotBegin(f"Job {run.job_name} is not enabled to be run!")
    # A run without a name was asked for on the command line, which needs nobody's permission.
    is_superuser = run.user_active and run.user_superuser
    if run.username and not is_superuser and not may_still_run(platform, claimed.result_id):
        raise CannotBegin(f"{run.username} may not run {run.job_name} any more.")
    if run.job_approval_required:
        with platform.reading() as db:
            problem = why_not(db, claimed.result_id)
        if problem:
            raise CannotBegin(problem)


def _said_of_lock(others: Sequence[UUID]) -> str:
    if not others:
        return "The singleton lock was to be ignored: no other run of this job is running."
    runs = f"run{'s' if len(others) > 1 else ''} {', '.join(map(_short, others))}"
    return f"The singleton lock was ignored: this run begins beside {runs}."


def _hex(identifier: UUID | None) -> str:
    return identifier.hex if identifier is not None else ""


def _short(result_id: UUID) -> str:
    return result_id.hex[:6]
