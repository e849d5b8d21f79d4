"""Rows as years of use would leave them, put straight into the tables."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import CTE, Connection, Text, cast, func, insert, literal, literal_column, select, text

from benchmarks.site import USERNAME, Site
from jobs.report import Chart, Code, Metric, Report, Section, Table
from jobs.report.shape import fit
from store.models import AuditRecord, EntryGroup, JobRecord, JobResult, LogEntry, RunReport, Status, User, now

BATCH = 2_000

DAYS = 90

REPORT_ROWS = 10_000

#: Entries under one heading of the log.
GROUP = 1_000

#: What a result says of its job.
JOB = (JobRecord.id, JobRecord.class_path, JobRecord.name)

#: Of a hundred runs.
ENDS = {Status.COMPLETED: 90, Status.FAILED: 5, Status.ERRORED: 3, Status.CANCELED: 2}
CAUSES = {
    Status.FAILED: "3 of 40 hosts did not answer.",
    Status.ERRORED: "The job's process was killed by signal 9, Killed (out of memory?).",
    Status.CANCELED: "Canceled by bench.",
}


def add_jobs(site: Site, total: int) -> None:
    """Add job records until there are `total`."""
    with site.platform.session() as db:
        there = len(db.scalars(select(JobRecord.id)).all())
        db.add_all(_job(number) for number in range(total - there))
        db.commit()


def _job(number: int) -> JobRecord:
    module = f"area{number // 12}"
    return JobRecord(
        class_path=f"local/{module}/Job{number}",
        source="local",
        module=module,
        class_name=f"Job{number}",
        name=f"Look after service {number}",
        grouping=f"Area {number // 12}",
        description=f"Check what service {number} does, and put it right where it does not.\n\nMore is in the book.",
        enabled=True,
        refreshed_at=now(),
    )


def add_results(site: Site, total: int) -> None:
    """Add ended runs of all jobs, spread over the last months."""
    with site.platform.reading() as db:
        jobs = db.execute(select(*JOB)).all()
        user_id = db.scalars(select(User.id)).one()
    rows = _results([tuple(job) for job in jobs], user_id, total)
    while batch := list(islice(rows, BATCH)):
        with site.platform.engine.begin() as connection:
            connection.execute(insert(JobResult), batch)
    settle(site)


def copy_results(site: Site, total: int) -> None:
    """Add results until there are `total`: copies of those that are there, of the same moments.

    The database makes them itself, which is many times as quick as to send it a million rows.
    """
    table = JobResult.__table__
    copied = [column for column in table.columns if column.name != "id"]
    with site.platform.engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            # Keys are random, so each index is written all over: from memory that takes minutes, else an hour.
            connection.execute(text("PRAGMA cache_size = -2000000"))
        there = connection.scalar(select(func.count()).select_from(table)) or 0
        fresh_id = _fresh_id(connection)
        originals = select(fresh_id, *copied).order_by(table.c.created_at).limit(there)
        while there < total:
            part = originals.limit(min(there, total - there))
            connection.execute(
                insert(JobResult).from_select(["id", *(column.name for column in copied)], part)
            )
            there += min(there, total - there)
    settle(site)


def _fresh_id(connection: Connection) -> Any:
    if connection.dialect.name == "postgresql":
        return func.gen_random_uuid().label("id")
    return literal_column("lower(hex(randomblob(16)))").label("id")


def add_audit(site: Site, total: int) -> None:
    """Add records of who asked for runs, in turns by a hundred people."""
    moment = now() - timedelta(days=DAYS)
    with site.platform.engine.begin() as connection:
        numbers = _numbers(total)
        values: dict[str, Any] = {
            "created_at": literal(moment, AuditRecord.created_at.type),
            "actor": literal("person-") + cast(numbers.c.seq % 100, Text),
            "via": literal("page"),
            "address": literal("192.0.2.7"),
            "action": literal("run.submit"),
            "subject": literal("local/area1/Job") + cast(numbers.c.seq % 10_000, Text),
            "before": literal({}, AuditRecord.before.type),
            "after": literal({}, AuditRecord.after.type),
        }
        connection.execute(insert(AuditRecord).from_select(list(values), select(*values.values())))
    settle(site)


def _numbers(count: int) -> CTE:
    numbers = select(literal(1).label("seq")).cte("numbers", recursive=True)
    return numbers.union_all(select(numbers.c.seq + 1).where(numbers.c.seq < count))


def _results(jobs: list[tuple[Any, ...]], user_id: int, total: int) -> Iterator[dict[str, Any]]:
    dice = random.Random(1)
    begin, step = now() - timedelta(days=DAYS), timedelta(days=DAYS) / total
    for number in range(total):
        job_id, class_path, name = dice.choice(jobs)
        [status] = dice.choices(list(ENDS), list(ENDS.values()))
        moment = begin + number * step
        yield {
            "id": uuid4(),
            "job_id": job_id,
            "class_path": class_path,
            "name": name,
            "user_id": user_id,
            "username": USERNAME,
            "status": status,
            "cause": CAUSES.get(status),
            "queue": "default",
            "commit": True,
            "soft_time_limit": 300.0,
            "time_limit": 600.0,
            "memory_limit": 1024.0,
            "created_at": moment,
            "pushed_at": moment,
            "started_at": moment + timedelta(milliseconds=20),
            "began_at": moment + timedelta(milliseconds=25),
            "finished_at": moment + timedelta(seconds=dice.expovariate(0.1) + 0.1),
            "attempt": 1,
            "worker": "host-1-abcd",
            "last_seq": 12,
            "count_info": 11,
            "count_warning": 1 if dice.random() < 0.1 else 0,
            "count_failure": 1 if status == Status.FAILED else 0,
        }


def add_result(site: Site, job: str, entries: int, *, since: timedelta = timedelta(0), **values: Any) -> UUID:
    """Add one run of `job` with so many entries, `since` ago, ended unless `values` say otherwise; return its id."""
    moment = now() - since
    with site.platform.engine.begin() as connection:
        record = connection.execute(select(*JOB).where(JobRecord.class_name == job)).one()
        user_id = connection.scalars(select(User.id)).one()
        times = dict.fromkeys(("created_at", "pushed_at", "started_at", "began_at", "finished_at"), moment)
        counts = {"last_seq": entries, "count_info": entries, "count_warning": 0, "count_failure": 0}
        row = {
            **next(_results([tuple(record)], user_id, 1)),
            "status": Status.COMPLETED,
            "cause": None,
            **times,
            **counts,
            **values,
        }
        connection.execute(insert(JobResult), [row])
        _add_entries(connection, row["id"], entries, moment)
    settle(site)
    found: UUID = row["id"]
    return found


def add_report(site: Site, result_id: UUID) -> None:
    """Give a run a report that is nearly as large as one may be."""
    rows = [
        [number, f"switch-{number % 977:03}", "Zurich HQ", "Te1/1/4", number % 40, f"{number % 97} days"]
        for number in range(REPORT_ROWS)
    ]
    report = Report(
        Metric("Rows", len(rows)),
        Chart({f"Site {number}": number % 17 for number in range(30)}, title="Devices by site"),
        Section("Connections"),
        Table(rows, column_headers=["No", "Device", "Site", "Port", "Load", "Since"]),
        Code(
            "def check(port):  # every port\n    return port.is_up and port.speed > 100\n" * 64_000, "python"
        ),
    )
    data, _ = fit(report.as_data())
    with site.platform.session() as db:
        db.add(RunReport(result_id=result_id, data=data, pieces=len(data["pieces"])))
        db.commit()


def _add_entries(connection: Connection, result_id: UUID, count: int, moment: datetime) -> None:
    numbers = _numbers(count)
    message = literal("Step ") + cast(numbers.c.seq, Text) + literal(": a host has answered in 12 ms")
    values: dict[str, Any] = {
        "result_id": literal(result_id, LogEntry.result_id.type),
        "seq": numbers.c.seq,
        "attempt": literal(1),
        "created_at": literal(moment, LogEntry.created_at.type),
        "level": literal("info"),
        "grouping": literal("main"),
        "message": message,
        "html": literal("<p>") + message + literal("</p>"),
    }
    connection.execute(insert(LogEntry).from_select(list(values), select(*values.values())))
    groups = [
        {
            "result_id": result_id,
            "first_seq": first,
            "name": f"hosts {first}",
            "started_at": moment,
            "last_at": moment,
            "count_info": min(GROUP, count - first + 1),
        }
        for first in range(1, count + 1, GROUP)
    ]
    connection.execute(insert(EntryGroup), groups)


def settle(site: Site) -> None:
    """Let PostgreSQL take in what it was given at once, as it would by itself with the time. SQLite does nothing of the kind."""
    if site.platform.engine.dialect.name == "postgresql":
        with site.platform.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
