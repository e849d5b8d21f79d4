"""What a job is. Authors import from here: `from jobs import Job, StringVar`."""

from jobs.errors import AbortTransaction, JobFailed, SoftTimeLimitExceeded
from jobs.job import BaseJob, Job
from jobs.variables import (
    BooleanVar,
    ChoiceVar,
    IntegerVar,
    MultiChoiceVar,
    MultiObjectVar,
    ObjectVar,
    StringVar,
    TextVar,
)

__all__ = [
    "AbortTransaction",
    "BaseJob",
    "BooleanVar",
    "ChoiceVar",
    "IntegerVar",
    "Job",
    "JobFailed",
    "MultiChoiceVar",
    "MultiObjectVar",
    "ObjectVar",
    "SoftTimeLimitExceeded",
    "StringVar",
    "TextVar",
]
