"""Filters of the list of results: the ones that everybody has, and those that people save under names of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError

from jobs.errors import InvalidData
from store.models import JobResult, SavedFilter
from store.permissions import NotVisible
from store.text import clean_text
from webapp.auth import signed_in_user
from webapp.database import db
from webapp.result_list import Wanted, results_that_fit

MOST_SAVED = 20
LONGEST_NAME = 40

#: The fixed tab with a number, which is not counted further than this.
FAILED_THIS_WEEK = Wanted(status="bad", started="week")
MOST_COUNTED = 999


@dataclass(frozen=True, slots=True)
class Tab:
    word: str
    #: As in the address of the list.
    arguments: dict[str, Any]
    current: bool
    #: Of a saved filter; None: everybody has this tab.
    id: int | None = None
    count: int = 0
    #: There are more than `count` says.
    more: bool = False


@dataclass(frozen=True, slots=True)
class Saving:
    """The form that saves a filter: whether it is offered, and what was wrong with what was typed into it."""

    offered: bool
    name: str = ""
    error: str = ""


def tabs(wanted: Wanted) -> list[Tab]:
    """Return the tabs of the list, the saved ones last in the order in which they were saved."""
    now_shown = wanted.arguments()
    fixed = [(word, arguments, None) for word, arguments in _fixed().items()]
    saved = [(row.name, row.arguments, row.id) for row in _saved()]
    failed = _count_failed_this_week()
    return [
        Tab(
            word,
            arguments,
            current=arguments == now_shown,
            id=key,
            count=min(failed, MOST_COUNTED) if arguments == FAILED_THIS_WEEK.arguments() and not key else 0,
            more=failed > MOST_COUNTED,
        )
        for word, arguments, key in [*fixed, *saved]
    ]


def saving(shown: Sequence[Tab], name: str = "", error: str = "") -> Saving:
    """Offer to save the filter unless it is one of the tabs already."""
    return Saving(bool(error) or not any(tab.current for tab in shown), name, error)


def save(wanted: Wanted, given: str) -> None:
    """Save the filter for the reader under the name that was typed. Raises InvalidData."""
    name = " ".join(clean_text(given).split())
    if not name:
        raise InvalidData("Give the filter a name.")
    if len(name) > LONGEST_NAME:
        raise InvalidData(f"At most {LONGEST_NAME} characters, please.")
    if not wanted.any:
        raise InvalidData("There is no filter to save: set one first.")
    taken = [row.name for row in _saved()]
    if name.casefold() in {other.casefold() for other in [*_fixed(), *taken]}:
        raise InvalidData("There is a tab of this name already.")
    if len(taken) >= MOST_SAVED:
        raise InvalidData(f"You have {MOST_SAVED} filters already. Delete one first.")
    db.session.add(SavedFilter(user_id=signed_in_user().id, name=name, arguments=wanted.arguments()))
    try:
        db.session.commit()
    except IntegrityError:
        # Sent twice at once: one of the two is there.
        db.session.rollback()


def forget(filter_id: int) -> dict[str, Any]:
    """Delete a filter of the reader's, and return its arguments. Raises NotVisible."""
    mine = (SavedFilter.id == filter_id, SavedFilter.user_id == signed_in_user().id)
    arguments: dict[str, Any] | None = db.session.scalar(select(SavedFilter.arguments).where(*mine))
    if arguments is None:
        raise NotVisible
    db.session.execute(delete(SavedFilter).where(*mine))
    db.session.commit()
    return arguments


def _fixed() -> dict[str, dict[str, str]]:
    return {
        "All": {},
        "My runs": {"person": signed_in_user().username},
        "Failed this week": FAILED_THIS_WEEK.arguments(),
    }


def _saved() -> Sequence[SavedFilter]:
    query = select(SavedFilter).where(SavedFilter.user_id == signed_in_user().id)
    return db.session.scalars(query.order_by(SavedFilter.id)).all()


def _count_failed_this_week() -> int:
    found = results_that_fit(FAILED_THIS_WEEK)
    some = found.with_only_columns(JobResult.id).limit(MOST_COUNTED + 1).subquery()
    return db.session.scalar(select(func.count()).select_from(some)) or 0
