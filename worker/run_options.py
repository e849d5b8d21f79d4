"""What may be asked for a single run, beside its inputs, its queue and whether it commits."""

from dataclasses import dataclass, fields

from jobs.errors import InvalidData
from store.models import JobRecord, User

NO_DEBUG = "Only a superuser may have a run profiled, unless ERRAND_DEBUG is on."
NO_SINGLETON = "This job is no singleton: there is no lock to ignore."


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Each is off unless somebody asks for it. In flat forms, and in refusals, a name begins with an underscore."""

    #: Keep with the result where its `run` spends its time.
    profile: bool = False
    #: Begin, though another run of this singleton may be going on.
    ignore_singleton_lock: bool = False

    @property
    def chosen(self) -> list[str]:
        """The names of those that were asked for."""
        return [name for name in OPTIONS if getattr(self, name)]

    def check(self, job: JobRecord, *, may_profile: bool) -> None:
        """Raise InvalidData for what cannot be had."""
        errors = {}
        if self.profile and not may_profile:
            errors["_profile"] = [NO_DEBUG]
        if self.ignore_singleton_lock and not job.is_singleton:
            errors["_ignore_singleton_lock"] = [NO_SINGLETON]
        if errors:
            raise InvalidData(errors)


NO_OPTIONS = RunOptions()

#: Their names.
OPTIONS = tuple(option.name for option in fields(RunOptions))


def may_profile(user: User | None, *, debug: bool) -> bool:
    """Tell whether this user may have a run profiled."""
    return debug or (user is not None and user.superuser)
