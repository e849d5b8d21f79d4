"""How far a run is: said by the job, kept in its row while it runs, and left there at its end."""

from decimal import Decimal
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import update

from store.models import JobResult
from tests.waiting import until
from tests.worker.conftest import Portal
from worker.host import this_process
from worker.ownership import claim
from worker.progress import Progress, report_of


def test_it_can_be_read_while_the_run_goes_on(portal: Portal, tmp_path: Path):
    gate = tmp_path / "gate"
    gate.touch()
    asked = portal.submit("SaysHowFar", raw={"wait_at": str(gate)})
    running = Thread(target=portal.execute, args=(asked,))
    running.start()
    try:
        until(lambda: portal.result(asked).progress, "progress")
        assert portal.result(asked).progress["total"] == 10  # type: ignore[index]
        assert portal.status(asked) == "running"
    finally:
        gate.unlink()
        running.join(30)
    assert portal.result(asked).progress == {"done": 10, "total": 10, "text": "10 of 10 devices"}


class Sent(list[Any]):
    def send(self, *frame: Any) -> None:
        self.append(frame)


def test_a_job_that_counts_everything_is_passed_on_now_and_then():
    sent = Sent()
    progress = Progress(sent)  # type: ignore[arg-type]
    for number in range(100_000):
        progress.say(number, None, "")
    progress.flush()
    assert len(sent) < 100
    assert sent[-1] == ("progress", 99_999, None, "")


def test_threads_of_a_job_may_say_it_too():
    class Slow(Sent):
        def send(self, *frame: Any) -> None:
            super().send(*frame)
            if len(self) < 5:
                progress.flush()  # As another thread does meanwhile.

    progress = Progress(sent := Slow())  # type: ignore[arg-type]
    progress.say(1, 2, "one")
    assert sent == [("progress", 1, 2, "one")]


def test_another_attempt_begins_without_what_the_last_one_said(portal: Portal):
    asked = portal.submit("SaysHowFar")
    with portal.platform.session() as db:
        said = {"done": 9, "total": 10, "text": "9 of 10 devices"}
        db.execute(update(JobResult).where(JobResult.id == asked.id).values(progress=said))
        db.commit()
    claim(portal.platform, asked.id, worker="other", process=this_process())
    assert portal.result(asked).progress is None


def test_the_end_is_never_held_back():
    sent = Sent()
    progress = Progress(sent)  # type: ignore[arg-type]
    progress.say(1, 2, "one")
    progress.say(Decimal(2), 2, "two")
    assert [frame[1] for frame in sent] == [1, 2.0]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), "much", 2**53, 1e300, 10**400])
def test_what_is_no_number_is_the_jobs_mistake(number: Any):
    with pytest.raises(ValueError):
        Progress(Sent()).say(number, 10, "")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ((1, 10, "x"), {"done": 1, "total": 10, "text": "x"}),
        ((12, 10, ""), {"done": 10, "total": 10, "text": ""}),
        ((-1, 10, ""), {"done": 0, "total": 10, "text": ""}),
        ((5, 0, ""), {"done": 5, "total": None, "text": ""}),
        ((1, None, "a\x00b"), {"done": 1, "total": None, "text": "a\N{REPLACEMENT CHARACTER}b"}),
        ((True, 10, ""), None),
        (("1", 10, ""), None),
        ((1e300, 10, ""), None),
        ((10**400, 10, ""), None),
        ((float("nan"), 10, ""), None),
        ((1, 10, None), None),
    ],
)
def test_what_a_child_says_is_checked(said: tuple[Any, Any, Any], kept: Any):
    assert report_of(*said) == kept
