"""The client of a soak: a process of its own that asks for runs through the only door, and may die at it.

python -m benchmarks.soak.asking COUNTER ANSWERED RUNS SEED
It notes each answer it gets in the file ANSWERED, and begins with the last of these when it is started again.
"""

import os
import random
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from benchmarks.site import USERNAME
from benchmarks.waiting import until
from store.models import FINAL, JobRecord, JobResult, User
from store.platform import Platform
from store.settings import Settings, load_settings
from worker.cancel import AlreadyFinished, cancel
from worker.submit import submit

#: It waits while so many have not ended: kills shall meet runs in all their states.
MOST_WAITING = 15

#: As long as a stopped worker may keep all others waiting, and more.
PATIENCE_SECONDS = 600.0

ONE_IN_CANCELED = 25


@dataclass(frozen=True, slots=True)
class Wish:
    """One run that is asked for."""

    key: str
    job: str
    data: Mapping[str, object]
    canceled: bool


def wish(seed: int, number: int, counter: Path) -> Wish:
    """Return the run with this number, always the same one."""
    chance = random.Random(f"{seed}/{number}")
    data = {"file": str(counter), "lines": chance.randint(1, 12), "milliseconds": chance.randint(0, 300)}
    return Wish(
        key=f"soak-{seed}-{number}",
        job=chance.choice(["Counts", "CountsAgain"]),
        data=data,
        canceled=chance.randrange(ONE_IN_CANCELED) == 0,
    )


def answers(file: Path) -> list[tuple[int, UUID]]:
    """Return the number and the id of each answer, in order."""
    lines = file.read_text().splitlines() if file.exists() else []
    return [(int(number), UUID(result_id)) for number, result_id in map(str.split, lines)]


def main(counter: Path, answered: Path, runs: int, seed: int) -> None:
    settings = load_settings()
    platform = Platform(settings.database_url)
    # The last one again: the same key must give the same run.
    first = max((number for number, _ in answers(answered)), default=0)
    for number in range(first, runs):
        until(lambda: has_room(platform), "runs end", seconds=PATIENCE_SECONDS, pause=0.02)
        with platform.session() as db:
            result_id = ask(db, settings, wish(seed, number, counter))
        note(answered, f"{number} {result_id}")
    platform.dispose()


def note(file: Path, line: str) -> None:
    """One write: whatever dies, the line is there whole or not at all."""
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


def has_room(platform: Platform) -> bool:
    with platform.reading() as db:
        unfinished = db.scalar(select(func.count()).where(JobResult.status.not_in(FINAL)))
    return (unfinished or 0) < MOST_WAITING


def ask(db: Session, settings: Settings, wish: Wish) -> UUID:
    """Ask for a run, and for its end where that is wished."""
    record = db.scalars(select(JobRecord).where(JobRecord.class_name == wish.job)).one()
    user = db.scalars(select(User).where(User.username == USERNAME)).one()
    result = submit(db, settings, job=record, raw=wish.data, user=user, idempotency_key=wish.key)
    result_id = result.id
    if wish.canceled:
        try:
            cancel(db, settings, result, user)
        except AlreadyFinished:
            pass
    return result_id


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
