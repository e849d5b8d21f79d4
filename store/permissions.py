"""Who may do what: the one function that every page, call and command asks."""

from typing import Any

from sqlalchemy import Select, false, true

from store.models import JobRecord, JobResult, User

#: What there is to do. Whoever is active may do the first four to what is theirs or enabled; the rest is a superuser's.
ACTIONS = frozenset({"view", "run", "cancel", "change", "refresh", "admin"})


class Forbidden(Exception):
    """The user may see this, but not do that to it. The text is a sentence for them."""


class NotVisible(Exception):
    """For this user it does not exist."""


def allowed(user: User | None, action: str, subject: Any = None) -> bool:
    """Tell whether `user` may do `action` to `subject`: a row, an object, or a class for "any of them"."""
    if action not in ACTIONS:
        raise ValueError(f"There is no action {action!r}.")
    if user is None or not user.active:
        return False
    if user.superuser:
        return True
    if action == "view":
        return _may_view(subject)
    if action == "run":
        return isinstance(subject, JobRecord) and subject.enabled
    if action == "cancel":
        return isinstance(subject, JobResult) and subject.user_id == user.id
    return False


def require(user: User | None, action: str, subject: Any = None) -> None:
    """Raise NotVisible or Forbidden unless `user` may do `action` to `subject`."""
    if allowed(user, action, subject):
        return
    if not allowed(user, "view", subject):
        raise NotVisible
    raise Forbidden(_refusal(action, subject))


def visible(query: Select[Any], user: User | None, model: type[Any]) -> Select[Any]:
    """Narrow `query` to the rows of `model` that `user` may view."""
    if user is None or not user.active:
        return query.where(false())
    if user.superuser or model is not JobRecord:
        return query.where(true())
    return query.where(JobRecord.enabled)


def _may_view(subject: Any) -> bool:
    return subject.enabled if isinstance(subject, JobRecord) else True


def _refusal(action: str, subject: Any) -> str:
    if action == "cancel":
        return "Only the person who asked for a run, or a superuser, may cancel it."
    if action == "run" and isinstance(subject, JobRecord):
        return f"You may not run {subject.name}."
    return "Only a superuser may do this."
