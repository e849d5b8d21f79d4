"""Jobs and their variables, as Nautobot 1.x names them; what its 2.x added is here, too."""

from typing import Any

from jobs import (
    AbortTransaction,
    BooleanVar,
    ChoiceVar,
    DryRunVar,
    FileVar,
    IntegerVar,
    IPAddressVar,
    IPAddressWithMaskVar,
    IPNetworkVar,
    JSONVar,
    MultiChoiceVar,
    MultiObjectVar,
    ObjectVar,
    StringVar,
    TextVar,
    get_task_logger,
)
from jobs.errors import JobNotFound, RunJobTaskFailed
from jobs.registration import register_jobs
from jobs.shims import bases
from jobs.shims.absent import absent
from jobs.shims.bases import (
    BaseJob,
    Job,
    JobButtonReceiver,
    JobHookReceiver,
)
from jobs.variables import Variable as ScriptVariable

# The rest of this module is there for those who name it.
__all__ = [
    "BooleanVar",
    "ChoiceVar",
    "FileVar",
    "IPAddressVar",
    "IPAddressWithMaskVar",
    "IPNetworkVar",
    "IntegerVar",
    "JSONVar",
    "Job",
    "MultiChoiceVar",
    "MultiObjectVar",
    "ObjectVar",
    "StringVar",
    "TextVar",
]


def is_job(value: Any) -> bool:
    """Tell whether this is the class of a job, and no base."""
    return isinstance(value, type) and issubclass(value, Job) and value.__module__ != bases.__name__


def is_variable(value: Any) -> bool:
    return isinstance(value, ScriptVariable)


def get_job(class_path: str) -> Any:
    """Return the class of the job; None: there is no such job."""
    from jobs.loading import installed, load_class

    try:
        return load_class(installed, class_path)[0]
    except JobNotFound:
        return None


_LATER = "a run cannot ask for others in this way"
__getattr__ = absent(__name__, {"get_jobs": _LATER, "run_job": _LATER, "enqueue_job_hooks": _LATER})
