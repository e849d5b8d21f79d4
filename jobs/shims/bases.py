"""The classes that job files of Nautobot subclass."""

from typing import Any, ClassVar

import jobs
from jobs.errors import JobFailed
from jobs.job import _FromMeta
from jobs.shims.changes import change_of
from jobs.variables import IntegerVar, StringVar

_MISSING: Any = object()


class BaseJob(jobs.BaseJob):
    """A job's base in the manner of Nautobot: unless it says otherwise, its inputs are nobody's business."""

    has_sensitive_variables: Any = _FromMeta(True)
    _warns_of_limits: ClassVar[bool] = True


class Job(BaseJob, jobs.Job):
    """A job in the manner of Nautobot, of either generation: how it is written tells (see jobs.dialects)."""

    dialect: ClassVar[str] = "nautobot"


class NewerJob(Job):
    """A job in the manner of Nautobot since 2.0."""

    dialect: ClassVar[str] = "2"


class BaseScript(BaseJob):
    """The base of scripts, which log messages and no objects."""

    dialect: ClassVar[str] = "errand"

    def run(self, data: dict[str, Any], commit: bool) -> Any:
        raise NotImplementedError("The script must define a run() method.")

    def log_success(self, message: Any) -> None:  # type: ignore[override]
        super().log_success(None, message)

    def log_info(self, message: Any) -> None:  # type: ignore[override]
        super().log_info(None, message)

    def log_warning(self, message: Any) -> None:  # type: ignore[override]
        super().log_warning(None, message)

    def log_failure(self, message: Any) -> None:  # type: ignore[override]
        super().log_failure(None, message)


class Script(BaseScript, Job):
    """What was a custom script before there were jobs."""

    dialect: ClassVar[str] = "errand"


class Report(Job):
    """What was a report before there were jobs: checks alone, whose entries say something about objects."""

    dialect: ClassVar[str] = "errand"

    def __init__(self) -> None:
        super().__init__()
        if not self.test_methods:
            raise TypeError("A report must contain at least one test method.")

    def log_info(self, obj: Any = None, message: Any = _MISSING) -> None:
        super().log_info(obj, _required(obj, message))

    def log_warning(self, obj: Any = None, message: Any = _MISSING) -> None:
        super().log_warning(obj, _required(obj, message))

    def log_failure(self, obj: Any = None, message: Any = _MISSING) -> None:
        super().log_failure(obj, _required(obj, message))


class JobHookReceiver(Job):
    """A job that changes of objects run."""

    dialect: ClassVar[str] = "errand"
    _receives: ClassVar[str] = "hook"
    #: It is the number of a change, which is no secret.
    has_sensitive_variables: Any = _FromMeta(False)
    object_change = IntegerVar(description="The number of the change.")

    def run(self, data: dict[str, Any] | None = None, commit: bool = True, **inputs: Any) -> Any:
        change = change_of(_given(data, inputs)["object_change"])
        return self.receive_job_hook(change, change.action, change.changed_object)

    def receive_job_hook(self, change: Any, action: str, changed_object: Any) -> Any:
        raise NotImplementedError(
            "The job must define receive_job_hook(self, change, action, changed_object)."
        )


class JobButtonReceiver(Job):
    """A job that a button on an object's page runs."""

    dialect: ClassVar[str] = "errand"
    _receives: ClassVar[str] = "button"
    #: They say which object it is, which is no secret.
    has_sensitive_variables: Any = _FromMeta(False)
    object_pk = StringVar(description="The key of the object.")
    object_model_name = StringVar(description="What kind of object it is: inventory.site.")

    def run(self, data: dict[str, Any] | None = None, commit: bool = True, **inputs: Any) -> Any:
        given = _given(data, inputs)
        return self.receive_job_button(_pressed_for(given["object_model_name"], given["object_pk"]))

    def receive_job_button(self, obj: Any) -> Any:
        raise NotImplementedError("The job must define receive_job_button(self, obj).")


def _given(data: dict[str, Any] | None, inputs: dict[str, Any]) -> dict[str, Any]:
    """Return what a receiver is told: with before_start and the like it is called as jobs are since Nautobot 2.0."""
    return inputs if data is None else data


def _pressed_for(model: str, key: str) -> Any:
    # Imported here: discovery does without a database.
    from store.data import current_session
    from store.object_lookup import LookupFailed, ObjectLookup

    try:
        return ObjectLookup(current_session()).load(model, key)
    except LookupFailed as error:
        raise JobFailed(f"The object that the button was pressed for is gone. {error}") from None


def _required(obj: Any, message: Any) -> Any:
    if message is not _MISSING:
        return message
    if isinstance(obj, str):
        return None  # The text is the message.
    raise TypeError("An entry of a report needs a message beside its object.")
