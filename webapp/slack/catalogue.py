"""The commands that somebody is offered, and the namespaces that they are listed by."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import String, cast, func, select
from sqlalchemy.orm import Session

from store.models import JobRecord, Namespace, User
from store.permissions import visible
from webapp.slack.matching import Command, in_order


@dataclass(frozen=True, slots=True)
class Space:
    """A namespace."""

    name: str
    description: str
    #: Not for guests.
    restricted: bool
    commands: Sequence[Command]


@dataclass(frozen=True, slots=True)
class Offered:
    #: In the order in which they are tried.
    commands: Sequence[Command]
    #: By name.
    namespaces: Sequence[Space]

    @property
    def names(self) -> list[str]:
        return [space.name for space in self.namespaces]

    def with_space(self, space: Space) -> "Offered":
        """Return the same, listing another namespace, unless a job has commands of that."""
        if space.name in self.names:
            return self
        return replace(self, namespaces=sorted([*self.namespaces, space], key=lambda each: each.name))

    def named(self, name: str) -> Space:
        return next(space for space in self.namespaces if space.name == name)


def offered(db: Session, user: User) -> Offered:
    """Return the commands of all jobs that could be run now, as far as `user` may see them."""
    commands = in_order(_commands(db, user))
    described = {each.name: each for each in db.scalars(select(Namespace).order_by(Namespace.id))}
    spaces = []
    for name in sorted({command.namespace for command in commands}):
        own = [command for command in commands if command.namespace == name]
        known = described.get(name)
        restricted = bool(known and known.restricted) or all(command.restricted for command in own)
        spaces.append(Space(name, known.description if known else "", restricted, own))
    return Offered(commands, spaces)


def _commands(db: Session, user: User) -> list[Command]:
    has_commands = func.length(cast(JobRecord.slack_commands, String)) > len("[]")
    runnable = (JobRecord.installed, JobRecord.enabled, ~JobRecord.hidden, ~JobRecord.withdrawn)
    query = select(JobRecord.id, JobRecord.restricted, JobRecord.slack_commands).where(
        has_commands, *runnable
    )
    return [
        Command(
            namespace=said["namespace"],
            command=said["command"],
            help=said["help"],
            action=said["action"],
            delay_seconds=said["delay_seconds"],
            job_id=row.id,
            restricted=row.restricted,
        )
        for row in db.execute(visible(query, user, JobRecord))
        for said in row.slack_commands
    ]
