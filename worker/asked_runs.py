"""What a run asks for of other jobs, on its way to the database: kept until the part of the run that asks has ended well."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, insert, select

from jobs.fan_out import (
    LONGEST_CLASS_PATH,
    LONGEST_METHOD,
    LONGEST_QUEUE,
    MOST_BYTES,
    MOST_CHILDREN,
    MOST_IN_PART,
)
from jobs.kinds import secret_names
from store.lockbox import lock
from store.models import WAITING, FanOut, FanOutPart, Gathering, JobRecord, Status, now
from store.platform import Platform
from worker.attempts import ended, read_facts
from worker.frames import BrokenLine
from worker.masking import Mask
from worker.ownership import Claim, fenced

#: Of all that one run asks for, as it comes: twice what a job may say in one call.
MOST_BYTES_OF_ALL = 2 * MOST_BYTES

#: Whoever has stored it is about to make the runs: others wait for so long.
GRACE = timedelta(seconds=5)


@dataclass(slots=True)
class Call:
    """One call of `map`."""

    class_path: str
    #: "": the job's own.
    queue: str
    at_once: int
    stop_after: int
    #: JSON, as it came.
    parts: list[str] = field(default_factory=list)


class AskedRuns:
    """What one run asks for. Its job's code may have written the frames: what no child of ours says is a BrokenLine."""

    def __init__(self, claim: Claim, mask: Mask) -> None:
        self._claim = claim
        self._mask = mask
        self._calls: dict[int, Call] = {}
        self._method: str | None = None
        self._bytes = 0
        self.count = 0
        self._locked: list[tuple[Call, list[tuple[int, bytes]]]] = []

    @property
    def any(self) -> bool:
        """Whether the run has a second part."""
        return self.count > 0 or bool(self._method)

    def hear(self, number: int, said: Call, data: list[Any]) -> None:
        """Take a part of a call. said: what it asks for beside that, the same in each of its parts."""
        call = self._calls.setdefault(number, said)
        text = json.dumps(data)
        self.count += len(data)
        self._bytes += len(text)
        fits = all(isinstance(each, dict) for each in data) and 0 < len(data) <= MOST_IN_PART
        too_long = len(call.class_path) > LONGEST_CLASS_PATH or len(call.queue) > LONGEST_QUEUE
        if not fits or too_long or min(call.at_once, call.stop_after) < 0:
            raise BrokenLine("no map")
        if self.count > MOST_CHILDREN or self._bytes > MOST_BYTES_OF_ALL:
            raise BrokenLine("it asked for too many runs, or with too much data")
        call.parts.append(text)

    def hear_gather(self, method: str) -> None:
        if len(method) > LONGEST_METHOD:
            raise BrokenLine("no gather")
        self._method = method

    def prepare(self, platform: Platform, secret_key: str) -> None:
        """Do what takes its time before the transaction that writes it begins."""
        self._locked, number = [], 1
        for call in self._calls.values():
            with platform.reading() as db:
                job = db.scalars(select(JobRecord).where(JobRecord.class_path == call.class_path)).first()
            secrets = set(secret_names(job.variables)) if job else set()
            hidden = job is not None and job.has_sensitive_variables
            parts: list[tuple[int, bytes]] = []
            for text in call.parts:
                data = json.loads(text)
                masked = data if hidden else [self._masked(each, secrets) for each in data]
                parts.append((number, lock(secret_key, {"data": masked})))
                number += len(data)
            self._locked.append((call, parts))

    def _masked(self, data: Mapping[str, Any], secrets: set[str]) -> dict[str, Any]:
        """Hide the run's own secrets, but where the other job seals them."""
        return {name: value if name in secrets else self._mask.data(value) for name, value in data.items()}

    def store(self, connection: Connection, first: Mapping[str, Any]) -> dict[str, Any]:
        """Write it within the transaction that ends the first part; return the values of the run, which waits from there.

        first: what that part leaves behind. Raises Fenced.
        """
        claimed = self._claim
        facts = read_facts(connection, claimed.result_id)
        if facts is None:
            raise fenced(claimed)
        if facts.stop_cause is not None:
            return ended(Status.CANCELED, facts.stop_cause)
        asked = {"result_id": claimed.result_id, "method": self._method or "", "size": self.count}
        asked["total"] = self.count
        kept = dict(first) if self._method else {}
        connection.execute(insert(Gathering).values(**asked, first=kept, created_at=now()))
        for call, parts in self._locked:
            self._store_call(connection, call, parts)
        return waiting_values(self.count, claimed.attempt)

    def _store_call(self, connection: Connection, call: Call, parts: list[tuple[int, bytes]]) -> None:
        how = {"queue": call.queue, "at_once": call.at_once, "stop_after": call.stop_after}
        store_fan_out(
            connection, uuid4(), self._claim.result_id, call.class_path, how, parts, free_at=now() + GRACE
        )


def store_fan_out(
    connection: Any,
    key: UUID,
    result_id: UUID,
    class_path: str,
    how: Mapping[str, Any],
    parts: list[tuple[int, bytes]],
    *,
    free_at: datetime,
) -> None:
    """Write what was asked for of one job. connection: a session, too. parts: (first number, what is locked).

    how: its queue and its limits.
    """
    of_result = {"result_id": result_id}
    connection.execute(
        insert(FanOut).values(id=key, class_path=class_path, stop_cause="", **how, **of_result)
    )
    rows = [
        {
            "fan_out_id": key,
            "first_number": number,
            "content": content,
            "free_at": free_at,
            **of_result,
        }
        for number, content in parts
    ]
    connection.execute(insert(FanOutPart), rows)


def waiting_values(count: int, attempt: int) -> dict[str, Any]:
    """Return the values of a run that waits for others: in no process, and not in line for one."""
    runs = "run" if count == 1 else f"{count:,} runs"
    return {
        "status": Status.PENDING,
        "cause": f"It waits for its {runs}." if count else "It is to be told that it asked for no runs.",
        "gathers": WAITING,
        # What is tried again from here on is the second part alone.
        "attempts_before": attempt,
        "errors": 0,
        "losses": 0,
        "pushed_at": None,
        "not_before": None,
        "expires_at": None,
        "began_at": None,
        "worker": None,
        "worker_host": None,
        "worker_pid": None,
        "worker_started": None,
    }
