"""What an admin may enable: the record of each job class, and what went wrong loading the others."""

import hashlib
from datetime import datetime
from typing import Any

from sqlalchemy import Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, CreatedAt, Key, LongText, Name, RandomKey

#: For jobs that name no limits of their own: seconds, and megabytes.
DEFAULT_SOFT_TIME_LIMIT_SECONDS = 300.0
DEFAULT_TIME_LIMIT_SECONDS = 600.0
DEFAULT_MEMORY_LIMIT_MB = 1024.0

#: The policy of a job of which one more run fails when it would start; one that still waits is no hindrance.
SINGLETON = "singleton"


def class_path_of(given: str) -> str:
    """Return a class path as records have it: old documents of Nautobot call the source of plugins `plugin`."""
    return f"plugins/{given.removeprefix('plugin/')}" if given.startswith("plugin/") else given


class JobRecord(Base):
    """One job class that was found, as discovery described it."""

    __tablename__ = "job_records"
    __table_args__ = (
        Index("ix_job_records_listing", "grouping", "name"),
        # Each page asks whether there are any.
        Index(
            "ix_job_records_withdrawn",
            "id",
            sqlite_where=text("withdrawn = 1"),
            postgresql_where=text("withdrawn"),
        ),
    )

    id: Mapped[RandomKey]
    #: `<source>/<module>/<Class>`.
    class_path: Mapped[str] = mapped_column(String(400), unique=True)
    source: Mapped[str] = mapped_column(String(100))
    module: Mapped[str] = mapped_column(String(100))
    class_name: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(100))
    grouping: Mapped[Name]
    #: Markdown, as the author wrote it.
    description: Mapped[LongText] = mapped_column(default="")
    #: "classic", "2", "bots", "shell", "bennettbot", "schleuder" or what a plugin brings (see jobs.dialects).
    dialect: Mapped[str] = mapped_column(String(10), default="classic")
    #: "hook" or "button": what alone runs it; "": people do.
    receives: Mapped[str] = mapped_column(String(10), default="")
    #: True: its author has switched it off, and nothing of it is shown, nor of its runs and schedules.
    withdrawn: Mapped[bool] = mapped_column(default=False)
    #: False: the class was not there at the last refresh.
    installed: Mapped[bool] = mapped_column(default=True)
    enabled: Mapped[bool] = mapped_column(default=False)
    hidden: Mapped[bool] = mapped_column(default=False)
    read_only: Mapped[bool] = mapped_column(default=False)
    commit_default: Mapped[bool] = mapped_column(default=True)
    approval_required: Mapped[bool] = mapped_column(default=False)
    #: Seconds after which a request for one is over; 0: the portal's default.
    approval_expires: Mapped[float] = mapped_column(default=0.0)
    #: True: not everybody who may run jobs may run this one (see the keys of permissions).
    restricted: Mapped[bool] = mapped_column(default=False)
    has_sensitive_variables: Mapped[bool] = mapped_column(default=False)
    #: Seconds; 0: the system's default.
    soft_time_limit: Mapped[float] = mapped_column(default=0.0)
    time_limit: Mapped[float] = mapped_column(default=0.0)
    #: Megabytes that a run and all it starts may use together; 0: the system's default.
    memory_limit: Mapped[float] = mapped_column(default=0.0)
    #: True: every run gets a process that no other run has used.
    fresh_process: Mapped[bool] = mapped_column(default=False)
    #: True: a run whose worker died may be run again without asking.
    idempotent: Mapped[bool] = mapped_column(default=False)
    #: How often a run that errored is tried again, and the seconds before the first time; they double each time.
    max_retries: Mapped[int] = mapped_column(default=0)
    retry_delay: Mapped[float] = mapped_column(default=0.0)
    #: At most this many runs with the same key at once; 0: as many as there are workers.
    concurrency_limit: Mapped[int] = mapped_column(default=0)
    #: Names of the variables whose values make the key; empty: all runs of the job share one.
    concurrency_key: Mapped[list[Any]] = mapped_column(default=list)
    #: What becomes of one more: "wait", "skip" or "replace"; "singleton": it fails when it would start.
    concurrency_policy: Mapped[str] = mapped_column(String(20), default="wait")
    #: True: who asks for it with the inputs of a run that still waits has asked for that one.
    dedupe: Mapped[bool] = mapped_column(default=False)
    #: Seconds that a run waits at least, unless whoever asks says otherwise.
    delay: Mapped[float] = mapped_column(default=0.0)
    #: "10/m": at most so many starts in a minute ("s", "m", "h", "d"); empty: no limit.
    rate_limit: Mapped[str] = mapped_column(String(20), default="")
    #: "high", "normal" or "low": which of the runs that wait on one queue goes first.
    priority: Mapped[str] = mapped_column(String(10), default="normal")
    #: Seconds after which a run that still waits is canceled; 0: never.
    expires: Mapped[float] = mapped_column(default=0.0)
    #: Days that its results are kept, and those that failed or errored; 0: as the portal does (see worker.retention).
    keep_days: Mapped[int] = mapped_column(default=0)
    keep_failed_days: Mapped[int] = mapped_column(default=0)
    #: Names of the queues a run may ask for; the first is the default. Empty: `default` only.
    queues: Mapped[list[Any]] = mapped_column(default=list)
    #: True: the job's own `validate` is asked about the inputs before they are stored.
    has_validate: Mapped[bool] = mapped_column(default=False)
    #: True: it says beforehand what it will change (see jobs.planning).
    has_plan: Mapped[bool] = mapped_column(default=False)
    #: {fact: value}: what an admin says in place of the code (see worker.overrides); the columns hold what counts.
    overrides: Mapped[dict[str, Any]] = mapped_column(default=dict)
    #: The same facts as the code has them.
    code_facts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    #: Descriptions of the variables, in the order of the form (see jobs.variables).
    variables: Mapped[list[Any]] = mapped_column(default=list)
    #: What people type in Slack for it: [{"namespace", "command", "help", "action", "delay_seconds"}], where the command
    #: begins with the namespace, and has variables in brackets.
    slack_commands: Mapped[list[Any]] = mapped_column(default=list)
    #: What Slack is told of its runs: {"report_stdout", "report_success", "report_format", "suppress_empty",
    #: "call_support"}; empty: what is told by default (see worker.slack.formats).
    slack_report: Mapped[dict[str, Any]] = mapped_column(default=dict)
    #: {name: {variable: value}}: what its author suggests to fill in.
    presets: Mapped[dict[str, Any]] = mapped_column(default=dict)
    #: What its form template puts around the form, sanitized (see jobs.form_template); empty: it has none. Read only
    #: where the form is shown.
    form_template: Mapped[dict[str, Any]] = mapped_column(default=dict, deferred=True)
    #: {name: fingerprint} of the files that is made of.
    form_files: Mapped[dict[str, Any]] = mapped_column(default=dict)
    #: {module: SHA-256} of the files beside it that its own imports.
    siblings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    #: SHA-256 of the module's source.
    code_digest: Mapped[str] = mapped_column(String(64), default="")
    #: The git commit whose content that is; empty: there is none, or the file was changed since.
    code_commit: Mapped[str] = mapped_column(String(64), default="")
    created_at: Mapped[CreatedAt]
    refreshed_at: Mapped[datetime]

    @property
    def form_code(self) -> str:
        """What changes when the code is edited that this record, and so a form, was made from."""
        if not self.siblings:
            return self.code_digest
        return hashlib.sha256(f"{self.code_digest} {sorted(self.siblings.items())}".encode()).hexdigest()

    @property
    def summary(self) -> str:
        """The first line of the description, for lists."""
        return self.description.strip().split("\n", 1)[0]

    @property
    def always_commits(self) -> bool:
        """Whether no run can be asked to save nothing."""
        return self.dialect in ("2", "bots", "shell", "bennettbot", "schleuder") and not self.read_only

    @property
    def is_singleton(self) -> bool:
        """Whether one more run of it fails when it would start beside another."""
        return self.concurrency_policy == SINGLETON

    @property
    def asks_commit(self) -> bool:
        """Whether it is asked for each run if its changes are to be saved."""
        return not self.read_only and not self.always_commits

    @property
    def runnable(self) -> bool:
        return self.installed and self.enabled and not self.withdrawn

    @property
    def effective_time_limit(self) -> float:
        """Seconds after which a run is ended."""
        # A job that was given only a longer soft limit must have the time to come to it, and to clean up.
        return self.time_limit or max(DEFAULT_TIME_LIMIT_SECONDS, 2 * self.soft_time_limit)

    @property
    def effective_soft_time_limit(self) -> float:
        """Seconds after which the job is told that its time is nearly up."""
        return self.soft_time_limit or DEFAULT_SOFT_TIME_LIMIT_SECONDS

    @property
    def effective_memory_limit(self) -> float:
        """Megabytes that a run and all it starts may use together."""
        return self.memory_limit or DEFAULT_MEMORY_LIMIT_MB

    @property
    def allowed_queues(self) -> list[str]:
        return [str(name) for name in self.queues] or ["default"]


class JobSource(Base):
    """A place jobs come from."""

    __tablename__ = "job_sources"

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(String(100), unique=True)
    #: "folder", "plugin" or "git".
    kind: Mapped[str] = mapped_column(String(20))
    location: Mapped[LongText]
    #: The snapshot of its files at the last refresh (see SourceSnapshot); empty: it was too large to keep.
    digest: Mapped[str] = mapped_column(String(64), default="")
    #: The git commit that snapshot is of; empty: nobody has looked yet, or it is no repository.
    code_commit: Mapped[str] = mapped_column(String(64), default="")
    #: What its snapshot lacks, in a sentence.
    note: Mapped[LongText] = mapped_column(default="")
    refreshed_at: Mapped[datetime]


class SourceSnapshot(Base):
    """The files of a source at one moment, for workers on machines that do not have them."""

    __tablename__ = "source_snapshots"

    #: SHA-256 over the names and contents of all files.
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    source: Mapped[str] = mapped_column(String(100))
    #: A compressed tar archive.
    archive: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    #: Of a git repository: the last commit that had just these files.
    code_commit: Mapped[str] = mapped_column(String(64), default="")
    #: Of the archive.
    size_bytes: Mapped[int]
    created_at: Mapped[CreatedAt]


class LoadError(Base):
    """A job file that could not be loaded, a class in it that cannot be a job, or advice on one that is."""

    __tablename__ = "load_errors"

    id: Mapped[Key]
    source: Mapped[str] = mapped_column(String(100))
    module: Mapped[Name]
    path: Mapped[LongText]
    #: One sentence.
    message: Mapped[LongText]
    traceback: Mapped[LongText] = mapped_column(default="")
    #: The job is there, and its author had better change something.
    advice: Mapped[bool] = mapped_column(default=False)
    seen_at: Mapped[datetime]
