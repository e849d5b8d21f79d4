"""What can go wrong with a job or its inputs, each with a sentence for a person."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any


class InvalidData(Exception):
    """Inputs that do not fit: `errors` is {variable name: [messages]}, or a list when no variable alone is to blame.

    A text alone stands for a list of one.
    """

    def __init__(self, errors: Mapping[str, Sequence[str]] | Sequence[str]) -> None:
        self.errors: dict[str, list[str]] | list[str]
        if isinstance(errors, Mapping):
            self.errors = {name: _listed(messages) for name, messages in errors.items()}
            text = "; ".join(f"{name}: {' '.join(messages)}" for name, messages in self.errors.items())
        else:
            self.errors = _listed(errors)
            text = "; ".join(self.errors)
        super().__init__(text)


def _listed(messages: Sequence[str]) -> list[str]:
    return [messages] if isinstance(messages, str) else list(messages)


class InvalidValue(ValueError):
    """One value that does not fit its variable; raised by a job's `validate`, inputs that do not fit each other."""


class JobFailed(Exception):
    """Raised by a job to end it as failed, with a sentence that says why. Its changes are rolled back."""


class RunJobTaskFailed(JobFailed):
    """What Nautobot calls JobFailed since 2.4."""


class AbortTransaction(Exception):
    """Raised by a job to roll back its changes without that being an error."""


class SoftTimeLimitExceeded(Exception):
    """Raised inside a job at its soft time limit: it may catch this to clean up, and has until its hard limit."""


class RunEnded(BaseException):
    """Raised inside a job that is canceled, or at its hard limit. No Exception, so that `except Exception` lets it through."""


class BadJob(Exception):
    """A class that cannot be a job as it is written, as a sentence for its author."""


class JobNotFound(Exception):
    """No such module or class."""


def described(error: BaseException) -> str:
    """Name an exception with its text. It may be of the author's own making, so its text may break, too."""
    text = text_of(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def text_of(value: Any, convert: Callable[[Any], str] = str) -> str:
    """Return the value as text, whatever its own code does."""
    try:
        return str(convert(value))
    except (SoftTimeLimitExceeded, MemoryError):
        raise
    except Exception as error:
        return f"({type(value).__name__} without a text: {type(error).__name__})"
