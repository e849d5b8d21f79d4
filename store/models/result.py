"""One run: its row, its state and its outcome."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from store.columns import now
from store.models.base import Base, CreatedAt, Key, LongText, Name, RandomKey
from store.models.job import JobRecord
from store.models.states import FAMILIES, FINAL, LEVELS, Status
from store.models.user import User

#: It has ended, and whoever is to hear of that has not yet been looked for: few rows at any time (see worker.notices).
UNTOLD = text("NOT told AND finished_at IS NOT NULL")

#: It has ended, and no chain has been looked for yet (see worker.chains): few rows, too.
UNFOLLOWED = text("NOT followed AND finished_at IS NOT NULL")

#: What led to others, and to which: most runs come after none.
HAS_PARENT = text("parent_id IS NOT NULL")

#: What another run has asked for.
IS_MAPPED, UNMAPPED = text("map_number IS NOT NULL"), text("map_number IS NULL")

#: Of a run that has asked for others: it waits for them, or they have ended and it is to be told of them.
WAITING, READY = "waiting", "ready"

#: What waits for others: few rows at any time.
IS_WAITING = text("gathers = 'waiting'")

#: What pages call "Warnings": on many sites few, or none, and always asked for by time.
WARNED = text("status = 'completed' AND count_warning > 0")

#: What ended badly: two states in one order, which no index of states has. Not by the bare column: by that SQLite, which
#: does not know how many rows there are, would rather take the index of states, and sort all it finds.
IS_BAD = text("lower(status) IN ('failed', 'errored')")

#: What pages show in place of a name for a run that nobody in particular asked for.
COMMAND_LINE = "Command line"


class LevelCounts:
    """Columns that count entries by level, so that no page ever counts the entries themselves."""

    count_debug: Mapped[int] = mapped_column(default=0)
    count_default: Mapped[int] = mapped_column(default=0)
    count_info: Mapped[int] = mapped_column(default=0)
    count_success: Mapped[int] = mapped_column(default=0)
    count_warning: Mapped[int] = mapped_column(default=0)
    count_failure: Mapped[int] = mapped_column(default=0)
    count_error: Mapped[int] = mapped_column(default=0)
    count_critical: Mapped[int] = mapped_column(default=0)

    @property
    def counts(self) -> dict[str, int]:
        return {level: getattr(self, f"count_{level}") or 0 for level in LEVELS}

    @property
    def families(self) -> dict[str, int]:
        """Counts as pages filter them."""
        counts = self.counts
        return {family: sum(counts[level] for level in levels) for family, levels in FAMILIES.items()}


def _index_of_pending(name: str, column: str, condition: str) -> Index:
    where = text(f"status = 'pending' AND {condition}")
    return Index(name, "status", column, sqlite_where=where, postgresql_where=where)


def _index_of_origin(name: str, column: str, *, unique: bool = False) -> Index:
    where = text("origin_id IS NOT NULL")
    return Index(name, "origin_id", column, unique=unique, sqlite_where=where, postgresql_where=where)


def _index_of_list(first: str, *more: str) -> Index:
    columns = (first, "created_at", "id", *more)
    return Index("_".join(["ix_job_results", *columns]), *columns)


class JobResult(LevelCounts, Base):
    __tablename__ = "job_results"
    __table_args__ = (
        Index("ix_job_results_created_at_id", "created_at", "id"),
        # The list, without what runs have asked for: however many that is, it is not read.
        Index(
            "ix_job_results_unmapped", "created_at", "id", sqlite_where=UNMAPPED, postgresql_where=UNMAPPED
        ),
        # In the whole order of the list: where a part of it is left to sort, SQLite rather reads all results by time.
        _index_of_list("user_id"),
        _index_of_list("status"),
        # With the state, so that how ten thousand jobs ended last is told without a look at one row.
        _index_of_list("job_id", "status"),
        Index("ix_job_results_bad", "created_at", "id", sqlite_where=IS_BAD, postgresql_where=IS_BAD),
        # How many runs began lately, by queue.
        Index("ix_job_results_started_at_queue", "started_at", "queue"),
        # The runs that may not be active beside each other.
        Index("ix_job_results_concurrency_key_status", "concurrency_key", "status"),
        # Of the few that do not simply wait on their queue: they cost the others nothing.
        _index_of_pending("ix_job_results_unpushed", "not_before", "pushed_at IS NULL"),
        Index("ix_job_results_finished_at", "finished_at"),
        Index("ix_job_results_kept_until", "kept_until"),
        _index_of_pending("ix_job_results_expiring", "expires_at", "expires_at IS NOT NULL"),
        _index_of_pending("ix_job_results_dedupe_key", "dedupe_key", "dedupe_key IS NOT NULL"),
        # One run for one key, however often its request arrives.
        UniqueConstraint("user_id", "idempotency_key"),
        _index_of_origin("ix_job_results_origin_id_created_at", "created_at"),
        Index("ix_job_results_warned", "created_at", sqlite_where=WARNED, postgresql_where=WARNED),
        Index("ix_job_results_untold", "finished_at", sqlite_where=UNTOLD, postgresql_where=UNTOLD),
        Index(
            "ix_job_results_unfollowed",
            "finished_at",
            sqlite_where=UNFOLLOWED,
            postgresql_where=UNFOLLOWED,
        ),
        Index(
            "ix_job_results_parent_id_created_at",
            "parent_id",
            "created_at",
            sqlite_where=HAS_PARENT,
            postgresql_where=HAS_PARENT,
        ),
        # Which of those that a run has asked for are in which state, and which of them is next.
        Index(
            "ix_job_results_children",
            "parent_id",
            "status",
            "map_number",
            sqlite_where=HAS_PARENT,
            postgresql_where=HAS_PARENT,
        ),
        Index(
            "uq_job_results_parent_id_map_number",
            "parent_id",
            "map_number",
            unique=True,
            sqlite_where=IS_MAPPED,
            postgresql_where=IS_MAPPED,
        ),
        Index("ix_job_results_gathers", "status", sqlite_where=IS_WAITING, postgresql_where=IS_WAITING),
        _index_of_origin("uq_job_results_origin_id_origin_key", "origin_key", unique=True),
    )

    id: Mapped[RandomKey]
    #: None once the record was deleted; the result stays.
    job_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("job_records.id", ondelete="SET NULL"))
    class_path: Mapped[str] = mapped_column(String(400))
    name: Mapped[str] = mapped_column(String(100))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    #: Kept beside the key, so that a result says who asked even when that person is gone. Empty: nobody in particular
    #: did, on the command line.
    username: Mapped[str] = mapped_column(String(150))
    status: Mapped[str] = mapped_column(String(20), default=Status.PENDING)
    #: Why it ended as it did, in a sentence; of a pending one why it does not start yet.
    cause: Mapped[str | None] = mapped_column(Text)
    commit: Mapped[bool] = mapped_column(default=True)
    #: What was asked for this run alone (see worker.run_options).
    profile: Mapped[bool] = mapped_column(default=False)
    ignore_singleton_lock: Mapped[bool] = mapped_column(default=False)
    #: Asked for on the command line, where nobody's permission counts.
    permitted: Mapped[bool] = mapped_column(default=False)
    queue: Mapped[str] = mapped_column(String(100), default="default")
    #: Which of the runs that wait on its queue goes first: "high", "normal", "low".
    priority: Mapped[str] = mapped_column(String(10), default="normal")
    #: Seconds after which the job is told, and after which the run is ended.
    soft_time_limit: Mapped[float] = mapped_column(default=0.0)
    time_limit: Mapped[float]
    #: Megabytes.
    memory_limit: Mapped[float] = mapped_column(default=0.0)
    #: What the request called itself; a second one with the same key gets this very run.
    idempotency_key: Mapped[str | None] = mapped_column(String(200))
    #: Tells what the request asked for (an HMAC): the same key with something else is refused.
    idempotency_digest: Mapped[str | None] = mapped_column(String(64))
    #: What the run shares with those it may not run beside (see JobRecord.concurrency_key); None: nothing.
    concurrency_key: Mapped[str | None] = mapped_column(String(500))
    #: Tells its inputs from others (an HMAC), where its job counts equal requests once; None: it does not.
    dedupe_key: Mapped[str | None] = mapped_column(String(64))
    #: From when on it stands in line, where that is not when it was asked for.
    turn_at: Mapped[datetime | None]
    #: The inputs; empty where some may be sensitive.
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    #: The inputs that nobody may read, all or its secrets, in a box (see store.sealing) that goes when the run ends;
    sealed_data: Mapped[bytes | None] = mapped_column(LargeBinary)
    #: or in one that is kept for another run, until then.
    kept_box: Mapped[bytes | None] = mapped_column(LargeBinary)
    kept_until: Mapped[datetime | None]
    #: What may be told of them: {name: {"fingerprint", "length"}}. It stays when the box is gone.
    sealed_facts: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    #: The run for which they were typed, if it was an earlier one.
    sealed_for: Mapped[uuid.UUID | None]
    sensitive: Mapped[bool] = mapped_column(default=False)
    #: How many files it was given.
    uploads: Mapped[int] = mapped_column(default=0)
    #: What asked for it (see worker.origins): "schedule", "hook", "button", "chain", "webhook", "slack",
    #: "approval", "plan", "map"; empty: a person did.
    origin: Mapped[str] = mapped_column(String(20), default="")
    origin_id: Mapped[uuid.UUID | None]
    #: What that was called then.
    origin_name: Mapped[Name] = mapped_column(default="")
    #: What it asked for: there is one run for each, ever.
    origin_key: Mapped[str | None] = mapped_column(String(100))
    #: The time for which a schedule made it.
    slot_at: Mapped[datetime | None]
    #: The run that led to this one.
    parent_id: Mapped[uuid.UUID | None]
    #: Which of those that the parent has asked for (see store.models.fan_out), and how many of them may run at once.
    map_number: Mapped[int | None]
    map_limit: Mapped[int | None]
    #: Whether it has asked for others itself: "", WAITING or READY.
    gathers: Mapped[str] = mapped_column(String(10), default="")
    #: The attempts that it took to ask for them.
    attempts_before: Mapped[int] = mapped_column(default=0)
    #: It does not start before that run has ended.
    after_id: Mapped[uuid.UUID | None]
    #: Who asked, from where: what a job finds in `self.request.META`. None: not over the web.
    request: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    #: What the job says of how far it is: {"done", "total", "text"}.
    progress: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    #: Where a profiled run spent its time: [{"function", "calls", "own_seconds", "cumulative_seconds"}, ...].
    hot_functions: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    return_value: Mapped[Any] = mapped_column(JSON(none_as_null=True), nullable=True)
    #: What it was about to change, by its own account: a line for each change (see jobs.planning).
    plan: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True), deferred=True)
    #: What the methods returned, as text, each on a line of its own.
    output: Mapped[LongText] = mapped_column(default="")
    #: What the job itself kept in `self.job_result.data`.
    results: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[CreatedAt]
    #: When its id last went to the queue; None: the queue could not be reached yet, or it is not its turn.
    pushed_at: Mapped[datetime | None]
    #: It does not start before this: a retry that waits, or a rate limit.
    not_before: Mapped[datetime | None]
    #: When it is canceled if it still waits.
    expires_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    #: When this attempt was handed to the job's code; None: none of it has run.
    began_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    #: Whether the messages about its end are on their way.
    told: Mapped[bool] = mapped_column(default=False)
    #: Whether what chains make of its end has been asked for.
    followed: Mapped[bool] = mapped_column(default=False)
    #: Somebody wants it kept, however old it gets (see worker.retention).
    pinned: Mapped[bool] = mapped_column(default=False)
    #: When somebody asked a running one to stop.
    cancel_requested_at: Mapped[datetime | None]
    canceled_by: Mapped[str | None] = mapped_column(String(150))
    #: Counts the claims; every write of a run names it, so that a lost run cannot write over a later one.
    attempt: Mapped[int] = mapped_column(default=0)
    #: How many attempts errored, and how many ended with their worker.
    errors: Mapped[int] = mapped_column(default=0)
    losses: Mapped[int] = mapped_column(default=0)
    #: Raised by the worker while it watches the run.
    beat: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None] = mapped_column(String(100))
    worker_host: Mapped[str | None] = mapped_column(String(255))
    worker_pid: Mapped[int | None]
    #: The start time of that process, as its kernel counts it: a pid alone may come again.
    worker_started: Mapped[str | None] = mapped_column(String(40))
    #: SHA-256 of the module it ran, and the git commit that has it.
    code_digest: Mapped[str | None] = mapped_column(String(64))
    code_commit: Mapped[str | None] = mapped_column(String(64))
    #: The snapshot its files were taken from; None: from the worker's own folders.
    source_digest: Mapped[str | None] = mapped_column(String(64))
    #: The number of the last entry.
    last_seq: Mapped[int] = mapped_column(default=0)

    #: Set by `worker.submit` on the row of an earlier request with the same idempotency key.
    repeated = False
    #: Set there beside it, where it was another request, for the same, that this row waits to answer (see JobRecord.dedupe).
    joined = False

    job: Mapped[JobRecord | None] = relationship(lazy="raise")
    user: Mapped[User | None] = relationship(lazy="raise")

    @property
    def finished(self) -> bool:
        return self.status in FINAL

    @property
    def tries(self) -> int:
        """Which attempt this is of what it does now: a run that asked for others begins anew with what they ended in."""
        return self.attempt - self.attempts_before

    @property
    def again_until(self) -> datetime | None:
        """Until when who typed the sealed inputs may run it again; None: nobody may."""
        return self.kept_until if self.kept_box and self.kept_until and self.kept_until > now() else None

    @property
    def dry_run(self) -> bool:
        """Whether it was to change nothing: by its commit flag, or by an input that its job has for that."""
        return not self.commit or self.data.get("dryrun") is True

    @property
    def unreached(self) -> bool:
        """Whether it waits for nothing but its queue, which could not be reached."""
        return self.status == Status.PENDING and self.pushed_at is None and self.cause is None

    @property
    def shown_username(self) -> str:
        return self.username or COMMAND_LINE

    @property
    def short_id(self) -> str:
        return self.id.hex[:6]

    @property
    def duration_seconds(self) -> float | None:
        """From the start of the run to its end, or until now; None before it starts."""
        if self.started_at is None:
            return None
        return max(0.0, ((self.finished_at or now()) - self.started_at).total_seconds())

    @property
    def waited_seconds(self) -> float:
        """From the request to the start of the run, or to its end without one, or until now."""
        until = self.started_at or self.finished_at or now()
        return max(0.0, (until - self.created_at).total_seconds())


class JobStart(Base):
    """A start of a job with a rate limit, kept for as long as the limit counts it."""

    __tablename__ = "job_starts"
    __table_args__ = (Index("ix_job_starts_job_id_started_at", "job_id", "started_at"),)

    id: Mapped[Key]
    job_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("job_records.id", ondelete="CASCADE"))
    started_at: Mapped[datetime]
