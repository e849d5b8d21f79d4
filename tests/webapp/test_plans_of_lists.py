"""How lists of results are read: by an index that has what is wanted, in its order, however many results there are."""

from uuid import UUID

import pytest
from sqlalchemy import select, text

from store.models import JobRecord, JobResult
from webapp.result_list import ENDED_BADLY

#: What lists are narrowed by, and the index that is meant for it.
WAYS = {
    "status": (JobResult.status == "running", "ix_job_results_status_created_at_id"),
    "person": (JobResult.user_id == 1, "ix_job_results_user_id_created_at_id"),
    "nobody": (JobResult.user_id.is_(None), "ix_job_results_user_id_created_at_id"),
    "badly": (ENDED_BADLY, "ix_job_results_bad"),
}
ENDS = "ix_job_results_job_id_created_at_id_status"
BY_TIME = (JobResult.created_at.desc(), JobResult.id.desc())


# What SQLite knows of an index of few rows is true of that one only.
CASES = [(name, False) for name in WAYS] + [(name, True) for name in WAYS if name != "badly"]


@pytest.mark.parametrize(("name", "analyzed"), CASES)
def test_sqlite_reads_a_list_in_the_order_of_an_index(name, analyzed, platform, db, make_job, make_result):
    job = make_job("Ping")
    for status in ("completed", "failed", "completed"):
        make_result(job, status)
    where, index = WAYS[name]
    db.rollback()
    if analyzed:
        as_of_a_million = (
            "UPDATE sqlite_stat1 SET stat = replace(stat, '3 ', '1000000 ') WHERE tbl = 'job_results'"
        )
        with platform.engine.begin() as connection:
            connection.execute(text("ANALYZE"))
            connection.execute(text(as_of_a_million))
        # It is read when a connection is made.
        platform.engine.dispose()
    query = select(JobResult.id).where(where).order_by(*BY_TIME).limit(41)
    assert plan(platform, query) == [index]


def plan(platform, query) -> list[str]:
    """Return the indexes of job_results that a query uses; an order that has to be made stands for one."""
    compiled = query.compile(platform.engine, compile_kwargs={"render_postcompile": True})
    values = (compiled.params[name] for name in compiled.positiontup)
    with platform.engine.begin() as connection:
        rows = connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {compiled}",
            tuple(each.hex if isinstance(each, UUID) else each for each in values),
        ).all()
    return [row[3].split("INDEX ")[1].split()[0] if "INDEX" in row[3] else row[3] for row in rows]


def test_how_jobs_ended_last_is_told_without_a_look_at_their_results(platform):
    latest = select(JobResult.status).where(
        JobResult.job_id == JobRecord.id, JobResult.status.in_(["failed"])
    )
    latest = latest.order_by(JobResult.created_at.desc()).limit(1).correlate(JobRecord).scalar_subquery()
    found = plan(platform, select(JobRecord.class_path).where(latest == "failed").order_by(JobRecord.id))
    # In the order of ids, without a sort.
    assert found == ["sqlite_autoindex_job_records_1", "CORRELATED SCALAR SUBQUERY 1", ENDS]


def test_switched_off_jobs_are_not_looked_for_among_all(platform):
    assert plan(platform, select(JobRecord.id).where(JobRecord.withdrawn).limit(1)) == [
        "ix_job_records_withdrawn"
    ]
