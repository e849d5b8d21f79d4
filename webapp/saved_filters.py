"""Filters of lists: the ones that everybody has, those that people save under names of their own, and the one that a
list opens with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Flask, g, request, url_for
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from werkzeug.datastructures import MultiDict

from jobs.errors import InvalidData
from store.models import DefaultFilter, SavedFilter
from store.permissions import NotVisible
from store.text import clean_text
from webapp import htmx
from webapp.auth import signed_in_user
from webapp.database import db

MOST_SAVED = 20
LONGEST_NAME = 40

#: What the address of a list says where nothing is asked for, and its default is not meant either.
EVERYTHING = {"show": "all"}

#: As an address has them: texts, and lists of texts.
Arguments = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tab:
    word: str
    arguments: Arguments
    current: bool
    #: Of a saved filter; None: everybody has this tab.
    id: int | None = None
    #: As its number is shown; "": it has none.
    count: str = ""
    #: The list opens with it.
    default: bool = False


@dataclass(frozen=True, slots=True)
class Views:
    """The tabs of a list, and the form that saves one more."""

    #: The name of the list.
    of: str
    tabs: Sequence[Tab]
    #: What is shown now.
    arguments: Arguments
    #: What was typed into the form, and what is wrong with it.
    name: str = ""
    error: str = ""
    #: One of the tabs has just been added or taken away.
    fresh: bool = False

    @property
    def current(self) -> Tab | None:
        return next((tab for tab in self.tabs if tab.current), None)

    @property
    def can_be_saved(self) -> bool:
        return bool(self.error) or self.current is None

    @property
    def fields(self) -> list[tuple[str, str]]:
        """What is shown now, as a form sends it."""
        return as_fields(self.arguments)

    @property
    def longest_name(self) -> int:
        return LONGEST_NAME


@dataclass(frozen=True, slots=True)
class FilteredList:
    """A list whose filters can be saved. Its page is `<name>.index`."""

    name: str
    model: Any
    #: Return what a request asks of the list, as far as it makes sense.
    read: Callable[[MultiDict[str, str]], Arguments]
    #: Return the tabs that everybody has, as (word, arguments, number as it is shown).
    fixed: Callable[[], list[tuple[str, Arguments, str]]]
    #: Make the page with what was refused.
    page: Callable[[Views], str]


_lists: dict[str, FilteredList] = {}


def filtered_list(listed: FilteredList) -> None:
    """Say that the filters of a list can be saved."""
    _lists[listed.name] = listed


def list_named(name: str) -> FilteredList:
    return _lists[name]


def init_app(app: Flask) -> None:
    app.jinja_env.globals["list_address"] = address
    app.jinja_env.filters["as_fields"] = as_fields


def as_fields(arguments: Arguments) -> list[tuple[str, str]]:
    """Return what an address says as a form sends it."""
    return list(MultiDict(arguments).items(multi=True))


def address(of: str, arguments: Mapping[str, Any]) -> str:
    """Return where a list shows just this."""
    asked: Arguments = {name: value for name, value in arguments.items() if value}
    if not asked and default_of(of):
        asked = EVERYTHING
    return url_for(f"{of}.index", **asked)


def opens_with(of: str) -> str | None:
    """Return where to go instead, for somebody who asks the list for nothing; None: they stay."""
    if request.args or htmx.wants_fragment():
        return None
    default = default_of(of)
    return address(of, default) if default else None


def default_of(of: str) -> Arguments:
    """Return what the list opens with for the reader; nothing: with everything."""
    known: dict[str, Arguments] = g.setdefault("default_filters", {})
    if of not in known:
        mine = (DefaultFilter.user_id == signed_in_user().id, DefaultFilter.list_name == of)
        known[of] = db.session.scalar(select(DefaultFilter.arguments).where(*mine)) or {}
    return known[of]


def views(of: str, arguments: Arguments, *, name: str = "", error: str = "", fresh: bool = False) -> Views:
    """Return the tabs of the list, the saved ones last in the order in which they were saved."""
    default = default_of(of)
    fixed = [(word, asked, None, count) for word, asked, count in list_named(of).fixed()]
    saved = [(row.name, row.arguments, row.id, "") for row in _saved(of)]
    tabs = [
        Tab(
            word,
            asked,
            current=asked == arguments,
            id=key,
            count=count,
            default=bool(asked) and asked == default,
        )
        for word, asked, key, count in [*fixed, *saved]
    ]
    return Views(of, tabs, arguments, name, error, fresh)


def save(of: str, arguments: Arguments, given: str) -> None:
    """Save the filter for the reader under the name that was typed. Raises InvalidData."""
    name = " ".join(clean_text(given).split())
    if not name:
        raise InvalidData("Give the filter a name.")
    if len(name) > LONGEST_NAME:
        raise InvalidData(f"At most {LONGEST_NAME} characters, please.")
    if not arguments:
        raise InvalidData("There is no filter to save: set one first.")
    taken = [row.name for row in _saved(of)]
    fixed = [word for word, *_ in list_named(of).fixed()]
    if name.casefold() in {other.casefold() for other in [*fixed, *taken]}:
        raise InvalidData("There is a tab of this name already.")
    if len(taken) >= MOST_SAVED:
        raise InvalidData(f"You have {MOST_SAVED} filters already. Delete one first.")
    db.session.add(SavedFilter(user_id=signed_in_user().id, list_name=of, name=name, arguments=arguments))
    try:
        db.session.commit()
    except IntegrityError:
        # Sent twice at once: one of the two is there.
        db.session.rollback()


def forget(of: str, filter_id: int) -> Arguments:
    """Delete a filter of the reader's, and return its arguments. Raises NotVisible."""
    mine = (
        SavedFilter.id == filter_id,
        SavedFilter.user_id == signed_in_user().id,
        SavedFilter.list_name == of,
    )
    arguments: Arguments | None = db.session.scalar(select(SavedFilter.arguments).where(*mine))
    if arguments is None:
        raise NotVisible
    db.session.execute(delete(SavedFilter).where(*mine))
    if arguments == default_of(of):
        _set_default(of, {})
    db.session.commit()
    return arguments


def open_with(of: str, arguments: Arguments, *, on: bool) -> None:
    """Have the list open with this filter for the reader, or with everything again. To do so twice changes nothing."""
    _set_default(of, arguments if on else {})
    try:
        db.session.commit()
    except IntegrityError:
        # Pressed in two windows at once: one of the two counts.
        db.session.rollback()
        g.pop("default_filters", None)


def _set_default(of: str, arguments: Arguments) -> None:
    user_id = signed_in_user().id
    mine = (DefaultFilter.user_id == user_id, DefaultFilter.list_name == of)
    db.session.execute(delete(DefaultFilter).where(*mine))
    if arguments:
        db.session.add(DefaultFilter(user_id=user_id, list_name=of, arguments=arguments))
    g.setdefault("default_filters", {})[of] = arguments


def _saved(of: str) -> Sequence[SavedFilter]:
    mine = (SavedFilter.user_id == signed_in_user().id, SavedFilter.list_name == of)
    return db.session.scalars(select(SavedFilter).where(*mine).order_by(SavedFilter.id)).all()
