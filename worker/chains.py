"""Chains: the end of a run asks for another one, once.

An end is stored together with the word that nobody has followed it (`JobResult.followed`), which is taken back once all its
chains were dealt with: none is missed, however late it comes to be seen, and whatever the clock of its machine says. What a
chain has dealt with has a link, stored in the transaction of the run that it asked for: any number of schedulers may look at
once, and be killed anywhere.
"""

import logging
import threading
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, exists, insert, literal, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, joinedload

from store import audit
from store.models import Chain, ChainLink, JobResult, User, now
from store.models.chain import ENDS
from store.models.result import UNFOLLOWED
from store.permissions import allowed
from store.platform import Platform
from store.settings import Settings
from worker.authors import author_of
from worker.failpoints import reach
from worker.origins import Origin, Taken
from worker.passes import keep_looking
from worker.references import facts_of_run, resolve
from worker.refusals import REFUSALS, NoRun, broke, sentence
from worker.submit import submit

BATCH = 100

#: Chains of chains end here.
MOST_LINKS = 10

#: id, job_id and status of a run.
_Ended = Row[UUID, UUID | None, str]

logger = logging.getLogger("errand.chains")


def keep_chaining(settings: Settings, platform: Platform, stop: threading.Event) -> None:
    """Look for ends until `stop` is set."""

    def look() -> None:
        follow_up(settings, platform)

    keep_looking(look, stop)


def begin(db: Session, chain: Chain) -> None:
    """Have what has ended already run nothing by a chain that is new, or about something else now. The caller commits."""
    # Whoever follows an end locks the chain first: its row is written before its links here, too.
    db.flush()
    linked = exists().where(ChainLink.chain_id == chain.id, ChainLink.result_id == JobResult.id)
    link = (literal(chain.id, ChainLink.chain_id.type), JobResult.id, literal(now()), literal(""))
    ended = select(*link).where(JobResult.job_id == chain.job_id, UNFOLLOWED, ~linked)
    db.execute(insert(ChainLink).from_select(["chain_id", "result_id", "dealt_at", "refused"], ended))


def follow_up(settings: Settings, platform: Platform) -> int:
    """Ask for the runs that follow what has ended, and return how many. May be done by many at once."""
    runs = 0
    while ended := _ended(platform):
        # The chains are read after the ends: one that came between the two has its links to them (see `begin`).
        for chain, result_id in _due(platform, ended):
            runs += _run(settings, platform, chain, result_id)
            reach("chains.followed")
        with platform.session() as db:
            followed = update(JobResult).where(JobResult.id.in_([row.id for row in ended]), UNFOLLOWED)
            db.execute(followed.values(followed=True), execution_options={"synchronize_session": False})
            db.commit()
    return runs


def _ended(platform: Platform) -> Sequence[_Ended]:
    """Return runs whose end nobody has followed."""
    query = select(JobResult.id, JobResult.job_id, JobResult.status).where(UNFOLLOWED)
    with platform.reading() as db:
        return db.execute(query.order_by(JobResult.finished_at).limit(BATCH)).all()


def _due(platform: Platform, ended: Sequence[_Ended]) -> list[tuple[Chain, UUID]]:
    """Return which chains are to deal with which of these ends."""
    with platform.reading() as db:
        jobs = {row.job_id for row in ended if row.job_id is not None}
        chains = db.scalars(select(Chain).where(Chain.enabled, Chain.job_id.in_(jobs))).all()
        if not chains:
            return []
        links = select(ChainLink.chain_id, ChainLink.result_id)
        query = links.where(ChainLink.result_id.in_([row.id for row in ended]))
        dealt = {(row.chain_id, row.result_id) for row in db.execute(query)}
    return [
        (chain, row.id)
        for row in ended
        for chain in chains
        if chain.job_id == row.job_id and row.status in ENDS[chain.on] and (chain.id, row.id) not in dealt
    ]


def _run(settings: Settings, platform: Platform, chain: Chain, result_id: UUID) -> bool:
    with platform.session() as db:
        try:
            _submit(db, settings, chain.id, result_id)
            return True
        except Taken:
            return False
        except REFUSALS as refusal:
            problem = sentence(refusal, "Whoever asked for it")
        except SQLAlchemyError:
            raise
        except Exception as error:
            logger.exception("The chain %s could not be followed.", chain.name)
            problem = broke(error)
        db.rollback()
        _refused(db, chain, result_id, problem)
    return False


def _refused(db: Session, chain: Chain, result_id: UUID, problem: str) -> None:
    """Say on the chain, on the run and in the audit why nothing came of it; it is not tried again."""
    asked_by = db.scalar(select(JobResult.username).where(JobResult.id == result_id)) or ""
    told = f"The end of run {result_id.hex[:6]} ran nothing. {problem}"
    try:
        db.execute(update(Chain).where(Chain.id == chain.id).values(last_error=told, last_error_at=now()))
        _link(db, chain.id, result_id, problem)
        about = {"result": str(result_id), "reason": problem}
        audit.note(db, "chain.refuse", chain.name, after=about, actor=asked_by)
        db.commit()
    except IntegrityError:
        db.rollback()  # Somebody else has dealt with it.


def _submit(db: Session, settings: Settings, chain_id: UUID, result_id: UUID) -> None:
    chain = db.get(Chain, chain_id, options=[joinedload(Chain.job), joinedload(Chain.next_job)])
    result = db.get(JobResult, result_id)
    if chain is None or result is None:
        raise Taken
    if chain.next_job is None:
        raise NoRun("The job that it was to run is gone.")
    author = author_of(db, chain)
    if chain.data and not allowed(author, "view", result):
        raise NoRun(f"{author.username}, who set it up, may not see the run whose values it hands on.")
    dry = _was_dry_run(result, chain)
    if dry and chain.next_job.always_commits:
        raise NoRun(f"It was a dry run, and {chain.next_job.name} always saves what it changes.")
    if _depth(db, result) >= MOST_LINKS:
        raise NoRun(f"{MOST_LINKS} runs have led to one another: the chain ends here.")

    same = (Chain.id == chain.id, Chain.enabled, Chain.job_id == chain.job_id, Chain.on == chain.on)

    def claim(db: Session, run: JobResult) -> Sequence[JobResult]:
        # Who chose the inputs need not be whom it runs as: neither of them has the other do what they may not.
        if not allowed(author, "run", chain.next_job, data=run.data or {}, queue=run.queue):
            raise NoRun(f"{author.username}, who set it up, may not run {run.name} with this.")
        # Whoever changes the chain in this moment is done before or after, not in between.
        if db.scalar(select(Chain.id).where(*same).with_for_update()) is None:
            raise Taken
        try:
            _link(db, chain_id, result_id)
        except IntegrityError:
            raise Taken from None
        return ()

    submit(
        db,
        settings,
        job=chain.next_job,
        raw=resolve(chain.data, facts_of_run(result)),
        user=_user(db, result),
        # An admin let hooks run what they run, and nothing that follows.
        permitted=result.permitted and result.origin != "hook",
        # A dry run leads to dry runs.
        commit=not dry if chain.next_job.asks_commit else None,
        origin=Origin(
            kind="chain",
            id=chain.id,
            name=chain.name,
            key=str(result.id),
            parent_id=result.id,
            claim=claim,
        ),
    )


def _was_dry_run(result: JobResult, chain: Chain) -> bool:
    """Tell whether somebody wanted nothing to be saved; a job that never saves says nothing about that."""
    return result.dry_run and not (chain.job is not None and chain.job.read_only)


def _link(db: Session, chain_id: UUID, result_id: UUID, refused: str = "") -> None:
    db.add(ChainLink(chain_id=chain_id, result_id=result_id, refused=refused))
    db.flush()


def _user(db: Session, result: JobResult) -> User | None:
    user = db.get(User, result.user_id) if result.user_id is not None else None
    if user is None and not result.permitted:
        raise NoRun(f"{result.username or 'Who asked for it'} is gone.")
    if user is not None and not user.active:
        raise NoRun(f"{user.username}, who asked for it, may not do anything any more.")
    return user


def _depth(db: Session, result: JobResult) -> int:
    """Return how many runs led to this one, each by a chain."""
    depth, at = 0, result
    while at.origin == "chain" and at.parent_id is not None and depth < MOST_LINKS:
        before: Any = db.execute(
            select(JobResult.origin, JobResult.parent_id).where(JobResult.id == at.parent_id)
        ).first()
        depth += 1
        if before is None:
            break
        at = before
    return depth
