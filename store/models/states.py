"""The words for states and levels: named once, used by filters, tabs, counts and the API alike."""

from enum import StrEnum

from jobs.levels import FAMILIES, FAMILY_OF, LEVELS

__all__ = ["FAMILIES", "FAMILY_OF", "FINAL", "LEVELS", "Status"]


class Status(StrEnum):
    AWAITING_APPROVAL = "awaiting_approval"
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    #: The job said so.
    FAILED = "failed"
    #: It broke, died, hit a limit or was lost.
    ERRORED = "errored"
    #: By a person, expired, or skipped by a rule.
    CANCELED = "canceled"
    DENIED = "denied"


#: A result in one of these never changes its state again.
FINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.ERRORED, Status.CANCELED, Status.DENIED})
