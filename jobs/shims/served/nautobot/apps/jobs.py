"""Jobs and their variables, where Nautobot 2.x and later have them."""

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
from jobs.errors import RunJobTaskFailed
from jobs.registration import register_jobs
from jobs.shims.absent import absent
from jobs.shims.bases import (
    BaseJob,
    JobButtonReceiver,
    JobHookReceiver,
)
from jobs.shims.bases import NewerJob as Job
from jobs.variables import Variable as ScriptVariable

from ..extras.jobs import get_job, is_job, is_variable

__all__ = [
    "BaseJob",
    "BooleanVar",
    "ChoiceVar",
    "DryRunVar",
    "FileVar",
    "IPAddressVar",
    "IPAddressWithMaskVar",
    "IPNetworkVar",
    "IntegerVar",
    "JSONVar",
    "Job",
    "JobButtonReceiver",
    "JobHookReceiver",
    "MultiChoiceVar",
    "MultiObjectVar",
    "ObjectVar",
    "RunJobTaskFailed",
    "ScriptVariable",
    "StringVar",
    "TextVar",
    "get_job",
    "get_task_logger",
    "is_job",
    "is_variable",
    "register_jobs",
]

_LATER = "a run cannot ask for others in this way"
__getattr__ = absent(__name__, {"get_jobs": _LATER, "run_job": _LATER, "enqueue_job_hooks": _LATER})
