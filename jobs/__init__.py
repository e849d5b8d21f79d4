"""What a job is. Authors import from here: `from jobs import Job, StringVar`."""

from jobs.addresses import IPAddressVar, IPAddressWithMaskVar, IPNetworkVar
from jobs.data_files import DataFile, DataFileVar
from jobs.errors import AbortTransaction, InvalidData, InvalidValue, JobFailed, SoftTimeLimitExceeded
from jobs.files import FileVar
from jobs.functions import job
from jobs.job import BaseJob, Job
from jobs.json_text import JSONVar
from jobs.moments import DateTimeVar, DateVar
from jobs.registration import register_jobs
from jobs.shell.base import ShellJob
from jobs.shell.table import shell_jobs
from jobs.task_logger import get_task_logger
from jobs.variables import (
    BooleanVar,
    ChoiceVar,
    DecimalVar,
    DryRunVar,
    IntegerVar,
    MultiChoiceVar,
    MultiObjectVar,
    ObjectVar,
    SecretVar,
    StringVar,
    TextVar,
)

__all__ = [
    "AbortTransaction",
    "BaseJob",
    "BooleanVar",
    "ChoiceVar",
    "DataFile",
    "DataFileVar",
    "DateTimeVar",
    "DateVar",
    "DecimalVar",
    "DryRunVar",
    "FileVar",
    "IPAddressVar",
    "IPAddressWithMaskVar",
    "IPNetworkVar",
    "IntegerVar",
    "InvalidData",
    "InvalidValue",
    "JSONVar",
    "Job",
    "JobFailed",
    "MultiChoiceVar",
    "MultiObjectVar",
    "ObjectVar",
    "SecretVar",
    "ShellJob",
    "SoftTimeLimitExceeded",
    "StringVar",
    "TextVar",
    "get_task_logger",
    "job",
    "register_jobs",
    "shell_jobs",
]
