"""Who set up what makes runs of others' acts: it has the rights of these people, of this moment."""

from sqlalchemy.orm import Session

from store.models import Chain, Hook, User
from worker.refusals import NoRun

#: What chains and hooks say that were made before it was written down.
UNKNOWN = "Nobody knows who set it up, so it has no rights and runs nothing: somebody who may run its jobs has to save it."


def author_of(db: Session, made: Chain | Hook) -> User:
    """Return who set it up. Raises NoRun where nobody has rights any more in whose name it could run something."""
    if made.set_up_by_id is None:
        raise NoRun(UNKNOWN)
    author = db.get(User, made.set_up_by_id)
    if author is None or not author.active:
        name = author.username if author is not None else "Who set it up"
        raise NoRun(
            f"{name} may not do anything any more: somebody else who may run its jobs has to save it."
        )
    return author
