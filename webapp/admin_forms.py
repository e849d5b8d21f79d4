"""What forms about people and permissions have in common: plain values in, sentences beside the inputs out."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from jobs.errors import InvalidData
from store.models import Group, User
from store.text import clean_text

LONGEST_NAME = 100
LONGEST_DESCRIPTION = 255
MOST_NAMED = 5


@dataclass
class AdminForm:
    """What was typed, and what is wrong with it."""

    values: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        return str(self.values.get(name, ""))

    def refuse(self, name: str, sentence: str) -> None:
        self.errors.setdefault(name, sentence)

    def raise_errors(self) -> None:
        """Raise InvalidData where something is wrong."""
        if self.errors:
            raise self.refusal()

    def refusal(self) -> InvalidData:
        return InvalidData({name: [sentence] for name, sentence in self.errors.items()})


def line(sent: MultiDict[str, str], name: str) -> str:
    return clean_text(sent.get(name, "")).strip()


def check_name(form: AdminForm, name: str, longest: int = LONGEST_NAME) -> None:
    if not form.text(name):
        form.refuse(name, "This field is required.")
    elif len(form.text(name)) > longest:
        form.refuse(name, f"Ensure this value has at most {longest} characters.")


def people_named(db: Session, form: AdminForm, name: str) -> list[User]:
    """Return the users whose names stand in a text, one a line or with commas between."""
    wanted = list(dict.fromkeys(word for word in form.text(name).replace(",", " ").split() if word))
    found = {user.username: user for user in db.scalars(select(User).where(User.username.in_(wanted)))}
    if unknown := [word for word in wanted if word not in found]:
        more = f" and {len(unknown) - MOST_NAMED} more" if len(unknown) > MOST_NAMED else ""
        form.refuse(name, f"There is nobody called {', '.join(unknown[:MOST_NAMED])}{more}.")
    return [found[word] for word in wanted if word in found]


def groups_chosen(db: Session, sent: Sequence[str]) -> list[Group]:
    numbers = [int(text) for text in sent if text.isascii() and text.isdecimal() and len(text) < 10]
    return list(db.scalars(select(Group).where(Group.id.in_(numbers)).order_by(Group.name)))


def groups_named(db: Session, form: AdminForm, name: str, wanted: Iterable[str]) -> list[Group]:
    """Return the groups of these names."""
    names = list(dict.fromkeys(wanted))
    found = list(db.scalars(select(Group).where(Group.name.in_(names)).order_by(Group.name)))
    if unknown := [each for each in names if each not in {group.name for group in found}]:
        form.refuse(name, f"There is no group called {', '.join(unknown[:MOST_NAMED])}.")
    return found


def as_lines(users: Iterable[User]) -> str:
    return "\n".join(user.username for user in users)


def parsed_constraints(form: AdminForm, name: str) -> Any:
    """Return what stands there as JSON; an empty text is no constraint."""
    text = form.text(name).strip()
    if not text:
        return []
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        where = (
            f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        )
        form.refuse(name, f"This is no JSON{where}.")
        return []
