"""Gathers what is known of the runs of a soak: by Errand, by the DATA database, and outside of both."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select

from benchmarks.site import Site
from benchmarks.soak.asking import answers, wish
from benchmarks.soak.check import Asked, Execution, Run
from examples.inventory.models import Manufacturer
from store.data import Data
from store.models import JobResult, LogEntry


class Line(NamedTuple):
    """One line of the outside counter: S or E of one execution."""

    what: str
    result_id: UUID
    token: str
    pid: int


def lines_of(counter: Path) -> list[Line]:
    text = counter.read_text() if counter.exists() else ""
    parts = (line.split() for line in text.splitlines())
    return [Line(what, UUID(result_id), token, int(pid)) for what, result_id, token, pid in parts]


def asked_for(seed: int, runs: int, counter: Path, answered: Path) -> list[Asked]:
    said = defaultdict(set)
    for number, result_id in answers(answered):
        said[number].add(result_id)
    wishes = (wish(seed, number, counter) for number in range(runs))
    return [
        Asked(
            key=one.key,
            answers=frozenset(said[number]),
            lines=int(str(one.data["lines"])),
            idempotent=one.job == "CountsAgain",
            canceled=one.canceled,
        )
        for number, one in enumerate(wishes)
    ]


def executions(site: Site, counter: Path) -> dict[UUID, list[Execution]]:
    lines = lines_of(counter)
    times = Counter((line.token, line.what) for line in lines)
    saved = _tokens_saved(site)
    found: dict[UUID, dict[str, Execution]] = defaultdict(dict)
    for line in lines:
        token = line.token
        found[line.result_id].setdefault(
            token, Execution(token, times[token, "S"], times[token, "E"], token in saved)
        )
    return {result_id: list(by_token.values()) for result_id, by_token in found.items()}


def _tokens_saved(site: Site) -> set[str]:
    data = Data(site.settings.data_database_url)
    try:
        with data.session() as session:
            return set(session.scalars(select(Manufacturer.name)))
    finally:
        data.dispose()


def stored(site: Site, executed: Mapping[UUID, Sequence[Execution]]) -> list[Run]:
    with site.platform.reading() as db:
        rows = db.scalars(select(JobResult).order_by(JobResult.created_at)).all()
        entries: dict[UUID, list[LogEntry]] = defaultdict(list)
        for entry in db.scalars(select(LogEntry).order_by(LogEntry.result_id, LogEntry.seq)):
            entries[entry.result_id].append(entry)
    return [_run(row, entries[row.id], executed.get(row.id, ())) for row in rows]


def _run(row: JobResult, entries: Sequence[LogEntry], executed: Sequence[Execution]) -> Run:
    return Run(
        id=row.id,
        key=row.idempotency_key or "",
        status=row.status,
        cause=row.cause or "",
        attempt=row.attempt,
        broken=row.errors + row.losses,
        last_seq=row.last_seq,
        counts=row.counts,
        counted=Counter(entry.level for entry in entries),
        seqs=[entry.seq for entry in entries],
        logged=Counter(entry.message.partition(" ")[0] for entry in entries),
        executions=executed,
    )
