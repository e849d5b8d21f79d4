"""Why somebody may, or may not, do something: as far as whoever asks may know it."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from store.decisions import KINDS, Decision, Facts, decide
from store.models import DataFile, JobRecord, JobResult, User, class_path_of
from store.permissions import allowed, asker_of, facts_of, visible
from store.rights import Given, Person, Rights
from webapp.job_key import as_id

#: Of those who may do something, so many are named.
MOST_PEOPLE = 200


@dataclass(frozen=True, slots=True)
class Explanation:
    decision: Decision
    person: User
    #: Permissions that would allow it, with the groups that have them.
    would_allow: list[tuple[Given, list[str]]]
    #: Usernames of those who can grant it.
    grantors: list[str]
    #: Who may do it, and why, as far as that is named; none where whoever asks may not see people.
    people: list[tuple[Person, Decision]]
    people_count: int


def explain(db: Session, asks: User, person: User, action: str, facts: Facts) -> Explanation:
    asker = asker_of(person)
    decision = decide(asker, action, facts)
    rights = Rights.read(db)
    people = rights.who_may(action, facts) if allowed(asks, "view", User) else []
    return Explanation(
        decision,
        person,
        [] if decision.allowed or asker is None else rights.would_allow(asker, action, facts),
        rights.who_may_grant(),
        people[:MOST_PEOPLE],
        len(people),
    )


def facts_named(db: Session, asks: User, kind: str, subject: str) -> Facts | None:
    """Return the facts of what is called so and may be seen by who asks; None for nothing of that name."""
    if kind == "job":
        query = visible(select(JobRecord), asks, JobRecord)
        job = db.scalar(query.where(JobRecord.class_path == class_path_of(subject)))
        return facts_of(job) if job is not None else None
    if kind == "result":
        result_id = as_id(subject)
        query = visible(select(JobResult), asks, JobResult)
        result = db.scalar(query.where(JobResult.id == result_id)) if result_id else None
        return facts_of(result, db=db) if result is not None else None
    if kind == "datafile" and subject:
        file = db.scalar(visible(select(DataFile), asks, DataFile).where(DataFile.name == subject))
        return facts_of(file) if file is not None else None
    values = dict.fromkeys(KINDS[kind].keys, subject) if subject else {}
    return Facts(kind, values)
