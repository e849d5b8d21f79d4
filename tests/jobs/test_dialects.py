"""Which dialect a class speaks, and the order of things in the second one."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from jobs import DryRunVar, Job, JobFailed, StringVar
from jobs.describe import describe
from jobs.dialects import dialect_of
from jobs.dialects.running import run
from jobs.errors import BadJob, RunJobTaskFailed
from jobs.exception_info import ExceptionInfo
from jobs.job import JobResultView
from jobs.levels import LOGGING_LEVEL
from jobs.task_logger import get_task_logger

logger = get_task_logger(__name__)


class Dialect2(Job):
    dialect = "2"


class ByShape(Job):
    dialect = "nautobot"

    def before_start(self, task_id, args, kwargs):
        """Of the base, and so nothing that an author has written."""


# --- which dialect -----------------------------------------------------------------------------------------------


def nothing(self): ...
def data_and_commit(self, data, commit=True): ...
def data_alone(self, data): ...
def commit_alone(self, *, commit): ...
def data_and_more(self, data, host): ...
def inputs(self, **inputs): ...
def host(self, host): ...
def logs(self, host):
    self.log_info("m")


def logs_within(self, host):
    return [lambda: self.log_failure("m")]


def logs_by_its_logger(self, host):
    self.logger.log(20, "m")


def hook_5(self, exc, task_id, args, kwargs, einfo): ...
def hook_3(self, *args): ...


def shape(base: type, attributes: dict[str, Any]) -> type:
    return type("Written", (base,), dict(attributes))


@pytest.mark.parametrize(
    ("attributes", "ours", "nautobot", "marked"),
    [
        ({"run": data_and_commit}, "classic", "classic", "classic"),
        ({"run": data_and_commit, "on_failure": hook_5}, "classic", "classic", "classic"),
        ({"run": data_and_commit, "data": StringVar(), "commit": StringVar()}, "classic", "classic", "2"),
        ({"run": data_alone}, "classic", "classic", "2"),
        ({"run": commit_alone}, "classic", "classic", "2"),
        ({"run": data_and_more}, "classic", "2", "2"),
        ({"run": host, "on_failure": hook_5}, "2", "2", "2"),
        ({"run": host, "before_start": hook_3}, "2", "2", "2"),
        ({"run": host, "on_failure": StringVar()}, "classic", "2", "2"),
        ({"run": host, "on_failure": nothing}, "classic", "2", "2"),
        ({"run": host, "test_it": nothing}, "classic", "classic", "2"),
        ({"run": host, "test_it": host}, "classic", "2", "2"),
        ({"run": host, "test_it": nothing, "on_failure": hook_5}, "2", "2", "2"),
        ({"post_run": nothing}, "classic", "classic", "2"),
        ({"run": logs}, "classic", "classic", "2"),
        ({"run": logs_within}, "classic", "classic", "2"),
        ({"run": logs, "log_info": host}, "classic", "2", "2"),
        ({"run": logs_by_its_logger}, "classic", "2", "2"),
        ({"run": inputs}, "classic", "2", "2"),
        ({"run": nothing}, "classic", "2", "2"),
        ({}, "classic", "classic", "2"),
    ],
)
def test_the_table(attributes: dict[str, Any], ours: str, nautobot: str, marked: str):
    assert [dialect_of(shape(base, attributes)) for base in (Job, ByShape, Dialect2)] == [
        ours,
        nautobot,
        marked,
    ]


def test_what_a_base_of_the_authors_own_defines_counts():
    base = shape(ByShape, {"run": data_and_commit})
    assert dialect_of(shape(base, {})) == "classic"
    assert dialect_of(shape(base, {"run": host})) == "2"


def test_a_variable_may_be_called_dialect():
    assert dialect_of(shape(Dialect2, {"dialect": StringVar(), "run": host})) == "2"
    assert dialect_of(shape(Job, {"dialect": StringVar(), "run": host})) == "classic"


# --- the order ---------------------------------------------------------------------------------------------------


@dataclass
class Diary:
    """A run context, and whatever else happens, in its order."""

    lines: list[tuple[str, str, str]] = field(default_factory=list)
    acts: list[str] = field(default_factory=list)
    commit_breaks: bool = False

    def log(self, level: str, message: str, *, grouping: str, **_: Any) -> None:
        self.lines.append((level, grouping, message.split("\n")[0]))

    def commit(self) -> None:
        if self.commit_breaks:
            raise OSError("disk full")
        self.acts.append("commit")

    def rollback(self) -> None:
        self.acts.append("rollback")

    def advice(self, error: BaseException) -> str:
        return ""


class Cycle(Dialect2):
    """Does in each method what `does` says for it: "raise", "give up", "fail" or nothing."""

    host = StringVar()
    does: dict[str, str] = {}

    def act(self, method: str, *facts: Any) -> str:
        self._context.acts.append(method)
        self.facts = {**getattr(self, "facts", {}), method: facts}
        match self.does.get(method):
            case "raise":
                raise ValueError(method)
            case "give up":
                raise RunJobTaskFailed(f"{method} gave up")
            case "fail":
                self.fail("%s failed", method)
        return f"returned by {method}"

    def before_start(self, task_id, args, kwargs):
        return self.act("before_start", task_id, args, kwargs)

    def run(self, **inputs):
        return self.act("run", inputs)

    def on_success(self, retval, task_id, args, kwargs):
        return self.act("on_success", retval, task_id, args, kwargs)

    def on_failure(self, exc, task_id, args, kwargs, einfo):
        return self.act("on_failure", exc, task_id, args, kwargs, einfo)

    def after_return(self, status, retval, task_id, args, kwargs, einfo):
        return self.act("after_return", status, retval, task_id, args, kwargs, einfo)


def lived(cls: type[Job], data: dict[str, Any] | None = None, *, commit: bool = True, **facts: Any):
    job, diary = cls(), Diary(**facts)
    job._context = diary
    job.job_result = JobResultView(id="id-1", user="alice")
    data = {"host": object} if data is None else data
    return run(job, data, commit=commit, serialised=dict.fromkeys(data, 7)), diary, job


@pytest.mark.parametrize(
    ("does", "order", "status", "cause"),
    [
        ({}, "before_start run on_success after_return commit", "completed", "The job ran to its end."),
        ({"before_start": "fail"}, "before_start on_failure after_return commit", "failed", "before_start failed"),
        ({"before_start": "raise"}, "before_start rollback on_failure after_return commit", "errored", "The job raised ValueError: before_start"),
        ({"run": "fail"}, "before_start run on_failure after_return commit", "failed", "run failed"),
        ({"run": "raise"}, "before_start run rollback on_failure after_return commit", "errored", "The job raised ValueError: run"),
        ({"run": "give up"}, "before_start run rollback on_failure after_return commit", "failed", "run gave up"),
        ({"on_success": "raise"}, "before_start run on_success rollback on_failure after_return commit", "errored", "The job raised ValueError: on_success"),
        ({"on_success": "fail"}, "before_start run on_success after_return commit", "failed", "on_success failed"),
        ({"after_return": "raise"}, "before_start run on_success after_return rollback commit", "errored", "The job raised ValueError: after_return"),
        ({"after_return": "fail"}, "before_start run on_success after_return commit", "failed", "after_return failed"),
        ({"run": "raise", "on_failure": "raise", "after_return": "raise"}, "before_start run rollback on_failure rollback after_return rollback commit", "errored", "The job raised ValueError: run"),
        ({"run": "fail", "on_failure": "raise"}, "before_start run on_failure rollback after_return commit", "errored", "The job raised ValueError: on_failure"),
    ],
)  # fmt: skip
def test_orders_and_outcomes(does: dict[str, str], order: str, status: str, cause: str):
    outcome, diary, _ = lived(type("Cycles", (Cycle,), {"does": does}))
    assert " ".join(diary.acts) == order
    assert (outcome.status, outcome.cause, outcome.output) == (status, cause, "")
    assert diary.lines[0] == ("info", "initialization", "Running job")
    assert (("success", "post_run", "Job completed") in diary.lines) == (status == "completed")


def test_hooks_get_what_was_stored_and_run_what_was_restored():
    _, _, job = lived(Cycle, {"host": "an object"})
    task = ("id-1", (), {"host": 7})
    assert job.facts == {
        "before_start": task,
        "run": ({"host": "an object"},),
        "on_success": ("returned by run", *task),
        "after_return": ("SUCCESS", "returned by run", *task, None),
    }


def test_a_clean_failure_has_a_value_and_no_exception():
    outcome, _, job = lived(type("Cycles", (Cycle,), {"does": {"run": "fail"}}))
    assert outcome.return_value == "returned by run"
    assert (job.facts["on_failure"][0], job.facts["on_failure"][-1]) == ("returned by run", None)
    assert job.facts["after_return"][:2] == ("FAILURE", "returned by run")
    outcome, *_ = lived(type("Cycles", (Cycle,), {"does": {"before_start": "fail"}}))
    assert outcome.return_value == "returned by before_start"


def test_an_exception_comes_with_its_traceback():
    _, diary, job = lived(type("Cycles", (Cycle,), {"does": {"run": "raise"}}))
    exc, *_, einfo = job.facts["on_failure"]
    assert isinstance(einfo, ExceptionInfo)
    assert (einfo.type, einfo.exception, einfo.exc_info[1]) == (ValueError, exc, exc)
    assert einfo.traceback.endswith("ValueError: run\n")
    assert str(einfo) == einfo.traceback
    # From the author's own code on.
    assert "test_dialects.py" in einfo.traceback.splitlines()[1]
    assert job.facts["after_return"][:2] == ("FAILURE", exc)
    assert ("failure", "run", "An exception occurred: `ValueError: run`") in diary.lines


def test_changes_that_cannot_be_saved_are_an_error():
    outcome, diary, _ = lived(Cycle, commit_breaks=True)
    assert (outcome.status, outcome.cause) == ("errored", "The job raised OSError: disk full")
    assert diary.acts[-1] == "rollback"


def test_a_read_only_job_saves_nothing():
    _, diary, _ = lived(type("Reads", (Cycle,), {"read_only": True}))
    assert diary.acts[-1] == "rollback"


def test_who_ends_the_process_is_asked_nothing_more():
    class Exits(Cycle):
        def run(self, host):
            raise SystemExit

    job, diary = Exits(), Diary()
    job._context = diary
    with pytest.raises(SystemExit):
        run(job, {"host": ""}, commit=True)
    assert diary.acts == ["before_start", "rollback"]


def test_a_failure_in_the_log_alone_is_none():
    class Complains(Dialect2):
        def run(self):
            self.logger.failure("f")
            self.logger.error("e")
            self.logger.critical("c")

    assert lived(Complains, {})[0].status == "completed"


def test_giving_up_works_in_the_classic_way_too():
    class Older(Job):
        def run(self, data, commit):
            raise RunJobTaskFailed("No.")

    class Fails(Job):
        def run(self, data, commit):
            self.fail("%d of %d", 1, 2)
            return "r"

    outcome, diary, _ = lived(Older, {})
    assert (outcome.status, outcome.cause, diary.acts) == ("failed", "No.", ["rollback"])
    outcome, diary, _ = lived(Fails, {})
    assert (outcome.status, outcome.cause, outcome.output) == ("failed", "1 of 2", "\nr")
    assert diary.lines == [("failure", "run", "1 of 2")]
    assert issubclass(RunJobTaskFailed, JobFailed)


# --- loggers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (("plain 100%",), "plain 100%"),
        (("%s of %d", "one", 2), "one of 2"),
        (("%(host)s is gone", {"host": "a"}), "a is gone"),
        (("%d", "one"), "%d"),
        ((5,), "5"),
    ],
)
def test_the_cause_is_what_the_job_said_first(said: tuple[Any, ...], cause: str):
    class Fails(Dialect2):
        def run(self):
            # Handlers of tests are strict; those of runs are not.
            self.logger.propagate = False
            self.fail(*said, extra={"grouping": "g"})
            self.fail("more")

    outcome, diary, job = lived(Fails, {})
    job.logger.propagate = True
    assert (outcome.status, outcome.cause) == ("failed", cause)
    assert diary.lines[1:] == [("failure", "g", cause), ("failure", "run", "more")]


class Talks(Dialect2):
    def run(self):
        self.logger.success("by %s", "itself")
        logger.failure("of the module")
        self.helper()
        logger.warning("elsewhere", extra={"grouping": "a group"})
        logger.debug("too little")
        logger.info("not kept", extra={"skip_db_logging": True})
        (lambda: logger.info("in a lambda"))()
        self.fail("at last")

    def helper(self):
        logger.info("helping")


def said(cls: type[Job]) -> list[tuple[str, str, str]]:
    return [line for line in lived(cls, {})[1].lines if line[1] not in ("initialization", "post_run")]


def test_loggers_group_by_the_function_that_logs():
    assert said(Talks) == [
        ("success", "run", "by itself"),
        ("failure", "run", "of the module"),
        ("info", "helper", "helping"),
        ("warning", "a group", "elsewhere"),
        ("info", "<lambda>", "in a lambda"),
        ("failure", "run", "at last"),
    ]


def test_in_the_classic_way_loggers_group_by_the_method_that_runs():
    class Older(Job):
        def run(self, data, commit):
            self.helper()

        def helper(self):
            self.logger.debug("detail")
            logger.info("of the module")

    assert said(Older) == [("debug", "run", "detail"), ("info", "run", "of the module")]


@pytest.fixture
def more_detail() -> Iterator[None]:
    logger.setLevel(logging.DEBUG)
    yield
    logger.setLevel(logging.NOTSET)


def test_debug_is_kept_where_the_logger_says_so(more_detail: None):
    class Details(Dialect2):
        def run(self):
            logger.debug("of the module")
            self.logger.debug("too little")
            self.logger.setLevel("DEBUG")
            self.logger.debug("detail")

    assert [line[2] for line in said(Details)] == ["of the module", "detail"]


def test_what_a_logger_filters_is_no_entry():
    class Filters(Dialect2):
        def run(self):
            self.logger.addFilter(lambda record: record.levelno < LOGGING_LEVEL["failure"])
            try:
                self.logger.info("taken")
                self.logger.failure("not taken")
            finally:
                self.logger.filters.clear()

    assert [line[2] for line in said(Filters)] == ["taken"]


def test_outside_of_a_run_loggers_are_like_others(caplog: pytest.LogCaptureFixture):
    logger.success("alone")
    assert [(record.levelno, record.funcName, record.message) for record in caplog.records] == [
        (25, "test_outside_of_a_run_loggers_are_like_others", "alone")
    ]


# --- facts -------------------------------------------------------------------------------------------------------


def meta(base: type = Dialect2, **facts: Any) -> type[Job]:
    return type("Described", (base,), {"Meta": type("Meta", (), facts), "run": inputs})


def test_a_description_tells_the_dialect_and_that_nobody_is_asked():
    facts = describe(meta(commit_default=False), grouping="g")
    assert (facts["dialect"], facts["commit_default"]) == ("2", True)
    facts = describe(meta(Job, commit_default=False), grouping="g")
    assert (facts["dialect"], facts["commit_default"]) == ("classic", False)
    assert describe(meta(read_only=True), grouping="g")["commit_default"] is False


def test_a_singleton_is_a_rule():
    facts = describe(meta(is_singleton=True, concurrency_limit=5), grouping="g")
    rule = [facts[f"concurrency_{fact}"] for fact in ("limit", "key", "policy")]
    assert rule == [1, [], "singleton"]


@pytest.mark.parametrize("name", ["is_singleton", "dryrun_default", "console_log_default"])
def test_flags_of_a_wrong_type_are_told_to_the_author(name: str):
    assert describe(meta(**{name: True}), grouping="g")
    with pytest.raises(BadJob, match=f"{name} must be bool, not str"):
        describe(meta(**{name: "yes"}), grouping="g")


@pytest.mark.parametrize("name", ["before_start", "after_return", "fail"])
def test_variables_keep_off_the_hooks_where_there_are_any(name: str):
    assert describe(type("Older", (Job,), {name: StringVar()}), grouping="g")
    with pytest.raises(BadJob, match=name):
        describe(type("Newer", (Dialect2,), {name: StringVar()}), grouping="g")


def test_a_dry_run_has_one_name_and_begins_as_meta_says():
    def described(name: str, **facts: Any) -> dict[str, Any]:
        cls = type("Dry", (Dialect2,), {name: DryRunVar(), "Meta": type("Meta", (), facts)})
        [variable] = describe(cls, grouping="g")["variables"]
        return variable

    assert (described("dryrun")["label"], described("dryrun")["default"]) == ("Dry run", False)
    assert described("dryrun", dryrun_default=True)["default"] is True
    with pytest.raises(BadJob, match="must be called dryrun"):
        described("dry")
