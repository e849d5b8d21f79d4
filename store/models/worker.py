"""Who works: worker and scheduler processes, the queues they take runs from, and the keys they open inputs with."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from store.models.base import Base, CreatedAt, Key


class WorkerProcess(Base):
    """A worker or a scheduler. It raises its beat while it lives; who is gone is removed after a day."""

    __tablename__ = "worker_processes"

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(String(100), unique=True)
    #: "worker" or "scheduler".
    kind: Mapped[str] = mapped_column(String(20))
    host: Mapped[str] = mapped_column(String(255))
    #: What shares its pids, so that a reconciler there can see whether it lives (see worker.host).
    host_key: Mapped[str] = mapped_column(String(255), default="")
    pid: Mapped[int]
    #: The start time of the process, as its kernel counts it.
    started: Mapped[str] = mapped_column(String(40), default="")
    version: Mapped[str] = mapped_column(String(40), default="")
    queues: Mapped[list[Any]] = mapped_column(default=list)
    #: What it was told to say of itself: "site=paris", "ssd".
    labels: Mapped[list[Any]] = mapped_column(default=list)
    #: "idle", "busy", "draining", "stopped" or "lost".
    state: Mapped[str] = mapped_column(String(20), default="idle")
    result_id: Mapped[uuid.UUID | None]
    #: Of itself and of the processes that run its jobs.
    memory_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    done: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    beat: Mapped[int] = mapped_column(default=0)
    #: When it last raised its beat, by its own clock.
    seen_at: Mapped[datetime]
    #: When it last compared the runs with the facts (see worker.reconciler).
    reconciled_at: Mapped[datetime | None]
    #: Somebody wants it to end after its current run.
    drain: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[CreatedAt]
    ended_at: Mapped[datetime | None]

    @property
    def here(self) -> bool:
        return self.ended_at is None

    @property
    def shown_state(self) -> str:
        """Its state, where "draining" begins with the wish and not with the worker's next beat."""
        return "draining" if self.here and self.drain else self.state


class Queue(Base):
    """What people have said of a queue; one that nobody spoke of has no row."""

    __tablename__ = "queues"

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(String(100), unique=True)
    #: Runs wait, and no worker takes them.
    paused: Mapped[bool] = mapped_column(default=False)
    paused_by: Mapped[str | None] = mapped_column(String(150))
    paused_at: Mapped[datetime | None]


class WorkerKey(Base):
    """The public half of a key; the private one is with the workers alone (see worker.keyring)."""

    __tablename__ = "worker_keys"

    id: Mapped[Key]
    fingerprint: Mapped[str] = mapped_column(String(16), unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[CreatedAt]
    #: None: inputs are sealed with it, if it is the last of those.
    retired_at: Mapped[datetime | None]
