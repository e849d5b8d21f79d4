"""What asks for a run where no person does so just now: a schedule, a hook, a button, a webhook, the end of another run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from sqlalchemy.orm import Session

from store.models import Approval, JobResult

#: "approval": whoever is to approve a run tries what it would do; "plan": it only says what it would change.
#: "map": another run has asked for it, and waits for its end.
Kind = Literal["", "schedule", "hook", "button", "chain", "webhook", "slack", "approval", "plan", "map"]

PLAN: Final = "plan"
MAP: Final = "map"

#: What runs are made by that are for whoever decides on another one: nothing follows from them.
REHEARSALS = ("approval", PLAN)


class Taken(Exception):
    """Somebody else has just asked for this very run, or it is not to be made any more."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a run is made by, and for what."""

    kind: Kind = ""
    id: UUID | None = None
    #: What it is called, for the pages of its runs.
    name: str = ""
    #: What it asks for: of each there is one run, ever, whoever else asks in the same moment. None: of any number.
    key: str | None = None
    #: The time for which a schedule asks.
    slot_at: datetime | None = None
    #: The run that led to this one.
    parent_id: UUID | None = None
    #: Under which its runs start; None: each run asks for its own where its job needs one.
    approval: Approval | None = None
    #: Called in the transaction that stores the run: may end or delay it, and raise Taken. Returns the runs that it ended
    #: while they were waiting.
    claim: Callable[[Session, JobResult], Sequence[JobResult]] | None = None

    def mark(self, result: JobResult) -> None:
        """Write on a new run where it comes from."""
        result.origin, result.origin_id, result.origin_name = self.kind, self.id, self.name[:255]
        result.origin_key, result.slot_at, result.parent_id = self.key, self.slot_at, self.parent_id


#: A person, who asks now.
A_PERSON = Origin()
