"""Chains: the end of a run asks for another one, once.

What a chain has dealt with has a link, stored in the transaction of the run that it asked for: any number of schedulers may
look at once, and be killed anywhere.
"""

import logging
import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import exists, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, joinedload

from store.models import Chain, ChainLink, JobResult, User, now
from store.models.chain import ENDS
from store.platform import Platform
from store.settings import Settings
from worker.failpoints import reach
from worker.origins import Origin, Taken
from worker.passes import keep_looking
from worker.references import facts_of_run, resolve
from worker.refusals import REFUSALS, NoRun, broke, sentence
from worker.submit import submit

BATCH = 100

#: An end is seen at most so long after the time it tells: clocks of machines differ, and transactions last.
SLACK = timedelta(minutes=10)

#: Chains of chains end here.
MOST_LINKS = 10

logger = logging.getLogger("errand.chains")


def keep_chaining(settings: Settings, platform: Platform, stop: threading.Event) -> None:
    """Look for ends until `stop` is set."""

    def look() -> None:
        follow_up(settings, platform)

    keep_looking(look, stop)


def follow_up(settings: Settings, platform: Platform) -> int:
    """Ask for the runs that follow what has ended, and return how many. May be done by many at once."""
    with platform.reading() as db:
        # Without its first job there is nothing that it could follow.
        chains = db.scalars(select(Chain).where(Chain.enabled, Chain.job_id.is_not(None))).all()
    return sum(_follow(settings, platform, chain) for chain in chains)


def _follow(settings: Settings, platform: Platform, chain: Chain) -> int:
    began_at, runs = now(), 0
    while ids := _ended(platform, chain):
        for result_id in ids:
            runs += _run(settings, platform, chain, result_id)
            reach("chains.followed")
    reached = began_at - SLACK
    if reached > chain.since + SLACK:
        with platform.session() as db:
            same = (Chain.id == chain.id, Chain.since == chain.since)
            db.execute(update(Chain).where(*same).values(since=reached))
            db.commit()
    return runs


def _ended(platform: Platform, chain: Chain) -> Sequence[UUID]:
    """Return runs that the chain has not dealt with, the first that ended coming first."""
    dealt = exists().where(ChainLink.chain_id == chain.id, ChainLink.result_id == JobResult.id)
    query = select(JobResult.id).where(
        JobResult.job_id == chain.job_id,
        JobResult.finished_at >= chain.since,
        JobResult.status.in_(ENDS[chain.on]),
        ~dealt,
    )
    with platform.reading() as db:
        return db.scalars(query.order_by(JobResult.finished_at).limit(BATCH)).all()


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
    told = f"The end of run {result_id.hex[:6]} ran nothing. {problem}"
    try:
        _link(db, chain.id, result_id)
        db.execute(update(Chain).where(Chain.id == chain.id).values(last_error=told, last_error_at=now()))
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
    dry = _was_dry_run(result, chain)
    if dry and chain.next_job.always_commits:
        raise NoRun(f"It was a dry run, and {chain.next_job.name} always saves what it changes.")
    if _depth(db, result) >= MOST_LINKS:
        raise NoRun(f"{MOST_LINKS} runs have led to one another: the chain ends here.")

    def claim(db: Session, _: JobResult) -> Sequence[JobResult]:
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


def _link(db: Session, chain_id: UUID, result_id: UUID) -> None:
    db.add(ChainLink(chain_id=chain_id, result_id=result_id))
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
