"""The published client of Nautobot, as it comes."""

from collections.abc import Callable
from typing import Any

import pynautobot
import pytest

from tests.waiting import until
from tests.worker.conftest import on_sqlite

from .conftest import Portal

OFTEN: dict[str, Any] = {"interval": 0.05, "max_rechecks": 600}


@pytest.fixture
def nautobot(portal: Portal) -> Any:
    client = pynautobot.api(portal.url, token=portal.token())
    yield client
    client.http_session.close()


@on_sqlite
def test_it_finds_a_job_runs_it_and_reads_what_came_of_it(
    portal: Portal, nautobot: Any, start_worker: Callable[..., Any]
):
    start_worker()
    assert nautobot.version == "2.4"
    assert nautobot.status()["nautobot-version"] == "2.4.0"
    job = nautobot.extras.jobs.get(name="Chatty")
    assert (job.id, job.job_class_name) == (str(portal.jobs["Chatty"].id), "Chatty")
    everything = {each.class_path for each in nautobot.extras.jobs.all()}
    assert everything >= {record.class_path for record in portal.jobs.values() if not record.withdrawn}
    assert nautobot.extras.jobs.count() == len(everything) > 100, "more than one page"

    until(lambda: nautobot.status()["celery-workers-running"], "the worker is there")
    ran = nautobot.extras.jobs.run_and_wait(job_id=job.id, data={"lines": 3}, **OFTEN)
    assert str(ran.job_result.status) == "SUCCESS"
    result = nautobot.extras.job_results.get(ran.job_result.id)
    assert result.status.value == "SUCCESS"
    assert result.user.username == "alice"
    logs = nautobot.extras.job_logs.filter(job_result=result.id)
    assert [log.log_level for log in logs].count("info") == 3
    assert result.task_kwargs == {"lines": 3}

    again = nautobot.extras.jobs.run_and_wait(job_name="Passes", **OFTEN)
    assert str(again.job_result.status) == "SUCCESS"
    assert [each.id for each in nautobot.extras.job_results.filter(status="SUCCESS", limit=1)] == [
        again.job_result.id,
        result.id,
    ]
