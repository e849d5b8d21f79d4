"""What can go wrong with a job or its inputs, each with a sentence for a person."""

from collections.abc import Mapping, Sequence


class InvalidData(Exception):
    """Inputs that do not fit: `errors` is {variable name: [messages]}, or a list when they are no mapping at all."""

    def __init__(self, errors: Mapping[str, Sequence[str]] | Sequence[str]) -> None:
        self.errors: dict[str, list[str]] | list[str]
        if isinstance(errors, Mapping):
            self.errors = {name: list(messages) for name, messages in errors.items()}
            text = "; ".join(f"{name}: {' '.join(messages)}" for name, messages in self.errors.items())
        else:
            self.errors = list(errors)
            text = "; ".join(self.errors)
        super().__init__(text)


class InvalidValue(ValueError):
    """One value that does not fit its variable."""


class JobFailed(Exception):
    """Raised by a job to end it as failed, with a sentence that says why. Its changes are rolled back."""


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
