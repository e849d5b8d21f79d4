"""What somebody wishes to be told about: a job, a schedule or one run."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from store.audit import note
from store.models import JobRecord, JobResult, NoticeRule, Schedule, User
from store.permissions import NotVisible, require


def name_of(db: Session, user: User, about: str, subject: str) -> str:
    """Return what that is called which somebody wants to be told about. Raises NotVisible."""
    found = _find(db, about, subject)
    if found is None:
        raise NotVisible
    require(user, "view", found)
    return found.name


def keep(
    db: Session, user: User, about: str, subject: str, name: str, ways: list[str], words: list[str]
) -> NoticeRule | None:
    """Keep a wish in place of the one before; without ways there is none any more. Commits `db`."""
    own = {"user_id": user.id, "about": about, "subject": subject}
    before = db.scalars(select(NoticeRule).filter_by(**own)).one_or_none()
    was = {"ways": before.ways, "words": before.words} if before is not None else None
    if before is not None:
        db.delete(before)
        db.flush()
    made = NoticeRule(**own, name=name[:255], ways=ways, words=words) if ways else None
    if made is not None:
        db.add(made)
    note(db, "notice.tell", subject, before=was, after={"ways": ways, "words": words})
    try:
        db.commit()
    except IntegrityError:
        # Wished for in two windows at once: the other one was faster.
        db.rollback()
        return db.scalars(select(NoticeRule).filter_by(**own)).one_or_none()
    return made


def forget(db: Session, user: User, rule_id: int) -> NoticeRule | None:
    """Delete a wish, and return it; None where they have no such one. The caller commits."""
    own = (NoticeRule.id == rule_id, NoticeRule.user_id == user.id)
    rule = db.scalars(select(NoticeRule).where(*own)).one_or_none()
    if rule is not None:
        note(db, "notice.forget", rule.subject, before={"about": rule.about, "ways": rule.ways})
        db.delete(rule)
    return rule


def has_ended(db: Session, user: User, subject: str) -> bool:
    """Tell whether a run has ended meanwhile: then nobody may be left who would grant the wish, and it goes. Commits `db`."""
    ended = db.scalar(select(JobResult.finished_at).where(JobResult.id == UUID(subject))) is not None
    if ended:
        own = (NoticeRule.user_id == user.id, NoticeRule.about == "run")
        db.execute(delete(NoticeRule).where(*own, NoticeRule.subject == subject))
    db.commit()
    return ended


def save_notices(db: Session, user: User, mail: str, notices: Mapping[str, list[str]]) -> None:
    """Keep somebody's mail address, and what they want to be told of what concerns them. The caller commits."""
    before = user.notices
    if user.mail != mail:
        note(db, "user.mail", user.username, before={"mail": user.mail}, after={"mail": mail})
    db.execute(update(User).where(User.id == user.id).values(mail=mail, notices=dict(notices)))
    note(db, "user.notices", user.username, before=before, after=notices)


def _find(db: Session, about: str, subject: str) -> JobRecord | JobResult | Schedule | None:
    if about == "job":
        return db.scalars(select(JobRecord).where(JobRecord.class_path == subject)).one_or_none()
    try:
        key = UUID(subject)
    except ValueError:
        return None
    # As it is written in the rows: one wish, however it is sent.
    if str(key) != subject:
        return None
    if about == "run":
        return db.get(JobResult, key)
    return db.get(Schedule, key) if about == "schedule" else None
