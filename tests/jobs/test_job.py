"""Job classes: their variables, facts, life cycle and log, without any room above."""

import logging
from typing import Any

import pytest

from jobs import AbortTransaction, BooleanVar, IntegerVar, Job, JobFailed, StringVar
from jobs.describe import describe
from jobs.dialects.running import run
from jobs.errors import BadJob


class Notebook:
    """A run context that writes down what happens."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, str]] = []
        self.objects: list[tuple[str | None, str | None]] = []
        self.acts: list[str] = []

    def log(self, level: str, message: str, *, grouping: str, object_text: Any, object_url: Any) -> None:
        self.lines.append((level, grouping, message))
        self.objects.append((object_text, object_url))

    def commit(self) -> None:
        self.acts.append("commit")

    def advice(self, error: BaseException) -> str:
        return ""

    def rollback(self) -> None:
        self.acts.append("rollback")


def ran(cls: type[Job], data: dict[str, Any] | None = None, *, commit: bool = True):
    job, notebook = cls(), Notebook()
    job._context = notebook
    return run(job, data or {}, commit=commit), notebook


def test_variables_are_ordered_bases_first_then_by_field_order():
    class Base(Job):
        a = StringVar()
        b = StringVar()

    class Sub(Base):
        c = StringVar()
        a = IntegerVar()

        class Meta:
            field_order = ["c", "nonsense"]

    assert list(Base._get_vars()) == ["a", "b"]
    assert list(Sub._get_vars()) == ["c", "a", "b"]
    assert isinstance(Sub._get_vars()["a"], IntegerVar)


def test_meta_is_optional_and_class_attributes_override_it():
    class Plain(Job):
        """Says what it does."""

    class Described(Plain):
        description = "By attribute"

        class Meta:
            name = "Nice name"
            description = "By Meta"
            hidden = True

    assert (str(Plain()), Plain.name, describe(Plain, grouping="g")["description"]) == (
        "Plain",
        "Plain",
        "Says what it does.",
    )
    facts = describe(Described, grouping="g")
    assert (facts["name"], facts["description"], facts["hidden"]) == ("Nice name", "By attribute", True)


def test_a_subclass_with_its_own_meta_does_not_merge_its_parents():
    class Parent(Job):
        class Meta:
            hidden = True
            name = "Parent"

    class Inherits(Parent):
        pass

    class Replaces(Parent):
        class Meta:
            name = "Child"

    assert (Inherits.hidden, Replaces.hidden) == (True, False)


def test_a_variable_may_be_called_name_or_description():
    class Job1(Job):
        name = StringVar()
        description = StringVar()

        class Meta:
            name = "Real name"

    facts = describe(Job1, grouping="g")
    assert facts["name"] == "Real name"
    assert [variable["name"] for variable in facts["variables"]] == ["name", "description"]


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("hidden", 1),
        ("name", 3),
        ("soft_time_limit", "10"),
        ("time_limit", True),
        ("time_limit", float("inf")),
        ("time_limit", -1),
        ("field_order", "ab"),
    ],
)
def test_meta_of_a_wrong_type_is_told_to_the_author(attribute: str, value: Any):
    cls = type("Wrong", (Job,), {"Meta": type("Meta", (), {attribute: value})})
    with pytest.raises(BadJob, match=attribute):
        describe(cls, grouping="g")


@pytest.mark.parametrize("name", ["log", "log_info", "read_only", "run", "test_methods", "_commit"])
def test_a_variable_must_not_take_a_name_the_run_needs(name: str):
    cls = type("Wrong", (Job,), {name: StringVar()})
    with pytest.raises(BadJob, match=name):
        describe(cls, grouping="g")


@pytest.mark.parametrize(
    "options", [{"description": 5}, {"label": None}, {"required": "no"}, {"default": float("nan")}]
)
def test_common_options_of_a_wrong_type_are_told_to_the_author(options: dict[str, Any]):
    cls = type("Wrong", (Job,), {"v": StringVar(**options)})
    with pytest.raises(BadJob):
        describe(cls, grouping="g")


def test_what_is_too_large_or_no_json_is_noted_and_the_rest_kept():
    class Huge(Job):
        def run(self, data, commit):
            self.job_result.data["x"] = float("nan")
            return "y" * 2_000_000

    outcome, notebook = ran(Huge)
    assert (outcome.status, outcome.return_value, outcome.results) == ("completed", None, {})
    assert "cut: 1,000,001 more" in outcome.output
    assert [line[0] for line in notebook.lines] == ["warning", "warning"]


class Full(Job):
    flag = BooleanVar()

    def run(self, data, commit):
        self.commit = commit
        self.log_info(f"{data} {commit}")
        return "r"

    def test_second(self):
        self.log_info("second")
        return []

    def test_first(self):
        self.log_info("first")
        return "t"

    def post_run(self):
        self.log_info("post")


def test_the_life_cycle_is_run_tests_as_written_post_run():
    outcome, notebook = ran(Full, {"flag": True})
    assert notebook.lines == [
        ("info", "run", "{'flag': True} True"),
        ("info", "test_second", "second"),
        ("info", "test_first", "first"),
        ("info", "post_run", "post"),
    ]
    assert (outcome.status, outcome.output, outcome.return_value) == ("completed", "\nr\nt", "r")
    assert notebook.acts == ["commit", "commit"]


def test_a_dry_run_is_rolled_back_and_says_so():
    outcome, notebook = ran(Full, {"flag": True}, commit=False)
    assert notebook.acts == ["rollback", "rollback"]
    assert ("info", "test_first", "Database changes have been reverted automatically.") in notebook.lines
    assert outcome.status == "completed"


def test_a_read_only_job_never_commits_and_never_mentions_it():
    cls = type("Reads", (Full,), {"Meta": type("Meta", (), {"read_only": True})})
    _, notebook = ran(cls, {"flag": True}, commit=True)
    assert notebook.acts == ["rollback", "rollback"]
    assert not any("reverted" in message for _, _, message in notebook.lines)
    assert notebook.lines[0][2].endswith("False")


def test_tests_of_bases_run_first_and_only_callables_count():
    class Base(Job):
        test_b = None

        def test_base(self):
            self.log_info("base")

    class Sub(Base):
        def test_a(self):
            self.log_info("a")

    assert [message for *_, message in ran(Sub)[1].lines] == ["base", "a"]


def test_a_variable_called_data_reaches_both_ways_of_writing_run():
    class Older(Job):
        data = StringVar()

        def run(self, data, commit):
            return data

    class Newer(Job):
        data = StringVar()
        other = StringVar()

        def run(self, data, other):
            return data + other

    assert ran(Older, {"data": "d"})[0].return_value == {"data": "d"}
    assert ran(Newer, {"data": "d", "other": "o"})[0].return_value == "do"


def test_run_may_name_its_variables_instead():
    class Names(Job):
        one = StringVar()
        two = StringVar()

        def run(self, two, *, one):
            return one + two

    class Takes(Job):
        one = StringVar()

        def run(self, **everything):
            return sorted(everything)

    class Nothing(Job):
        def run(self):
            return "ok"

    assert ran(Names, {"one": "1", "two": "2"})[0].return_value == "12"
    assert ran(Takes, {"one": "1"})[0].return_value == ["one"]
    assert ran(Nothing)[0].return_value == "ok"


def test_an_exception_skips_the_rest_but_post_run():
    class Breaks(Full):
        def run(self, data, commit):
            raise RuntimeError("no")

        def post_run(self):
            self.log_info(f"failed={self.failed}")

    outcome, notebook = ran(Breaks)
    assert notebook.lines[-1][2] == "failed=True"
    assert [line[:2] for line in notebook.lines] == [
        ("failure", "run"),
        ("info", "run"),
        ("info", "post_run"),
    ]
    assert (outcome.status, outcome.cause) == ("errored", "The job raised RuntimeError: no")
    assert notebook.acts[0] == "rollback"


def test_a_failure_in_post_run_counts():
    class Late(Job):
        def post_run(self):
            self.log_failure("too late")

    class Breaks(Job):
        def post_run(self):
            raise KeyError("x")

    assert (ran(Late)[0].status, ran(Late)[0].cause) == ("failed", "too late")
    outcome, notebook = ran(Breaks)
    assert outcome.status == "errored"
    assert "An exception occurred during job post_run(): KeyError" in outcome.output
    assert notebook.lines[0][0] == "failure"


def test_post_run_finds_what_the_others_returned():
    class Returns(Job):
        def run(self, data, commit):
            self.job_result.data["k"] = object
            return "r"

        def post_run(self):
            self.log_info(self.results["output"])

    outcome, notebook = ran(Returns)
    assert notebook.lines[-1][2] == "\nr"
    assert outcome.results == {"k": "<class 'object'>"}


def test_the_cause_counts_the_failures():
    class Many(Job):
        def test_one(self):
            self.log_failure("a")
            self.log_failure("b")

        def test_two(self):
            self.log_failure("c")

    class Mute(Job):
        def test_one(self):
            self.log_failure("")

    class One(Job):
        def test_one(self):
            self.log_failure(None, "\nNo answer.\nTried twice.")

    assert ran(Many)[0].cause == "3 failures were logged, the first in test_one."
    assert ran(One)[0].cause == "No answer."
    assert ran(Mute)[0].cause == "A failure was logged in test_one."


def test_abort_and_fail_roll_back():
    class Aborts(Job):
        def run(self, data, commit):
            raise AbortTransaction

    class Fails(Job):
        def run(self, data, commit):
            raise JobFailed("because")

    assert ran(Aborts)[0].status == "completed"
    assert ran(Aborts)[1].acts == ["rollback"]
    outcome, notebook = ran(Fails)
    assert (outcome.status, outcome.cause, notebook.acts) == ("failed", "because", ["rollback"])


def test_exit_rolls_back_before_post_run_may_commit():
    class Exits(Job):
        def run(self, data, commit):
            raise SystemExit(1)

        def post_run(self):
            pass

    job, notebook = Exits(), Notebook()
    job._context = notebook
    with pytest.raises(SystemExit):
        run(job, {}, commit=True)
    assert notebook.acts == ["rollback", "commit"]


class Thing:
    def __init__(self, url: str = "/things/1") -> None:
        self.url = url

    def __str__(self) -> str:
        return "t" * 300

    def get_absolute_url(self) -> str:
        return self.url


def logged(act) -> Notebook:
    job, notebook = Job(), Notebook()
    job._context = notebook
    act(job)
    return notebook


@pytest.mark.parametrize(
    ("act", "line"),
    [
        (lambda job: job.log("m"), ("default", "main", "m")),
        (lambda job: job.log_debug("m"), ("debug", "main", "m")),
        (lambda job: job.log_debug(message="m"), ("debug", "main", "m")),
        (lambda job: job.log_info("m"), ("info", "main", "m")),
        (lambda job: job.log_info(message=123), ("info", "main", "123")),
        (lambda job: job.log_success(obj=None), ("success", "main", "None")),
        (lambda job: job.log_warning("thing", "m"), ("warning", "main", "m")),
        (lambda job: job.log_failure(Thing(), "m"), ("failure", "main", "m")),
        (lambda job: job.logger.error("%s!", "m"), ("error", "main", "m!")),
        (lambda job: job.logger.critical("m", extra={"grouping": "g"}), ("critical", "g", "m")),
        (lambda job: job.logger.debug("m"), ("debug", "main", "m")),
    ],
)
def test_log_methods_in_all_their_forms(act, line: tuple[str, str, str]):
    assert logged(act).lines == [line]


def test_objects_are_shown_by_text_and_safe_link():
    assert logged(lambda job: job.log_info(Thing(), "m")).objects == [("t" * 200, "/things/1")]
    assert logged(lambda job: job.log_info("just text", "m")).objects == [("just text", None)]
    hostile = [
        "javascript:alert(1)",
        "//evil.example",
        "/\\evil.example",
        "data:text/html,x",
        "/a\x00",
        "/\ud800",
        "/a b",
    ]
    for url in hostile:
        assert logged(lambda job, url=url: job.log_info(Thing(url), "m")).objects == [("t" * 200, None)]


def test_a_failure_marks_the_job_and_groupings_are_cut():
    job = Job()
    job.active_test = "g" * 150
    notebook = Notebook()
    job._context = notebook
    job.log_failure("m")
    assert job.failed
    assert notebook.lines[0][1] == "g" * 100


def test_entries_are_mirrored_to_python_logging(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.DEBUG):
        logged(lambda job: job.log_warning("careful"))
    assert ("errand.jobs.Job", logging.WARNING, "careful") in caplog.record_tuples


def test_results_are_reachable_under_all_their_names():
    job = Job()
    job.job_result.data["k"] = 1
    assert job.result is job.job_result
    assert job.results == {"k": 1}


def test_an_abort_after_a_logged_failure_is_failed():
    class Aborts(Job):
        def run(self, data, commit):
            self.log_failure("no")
            raise AbortTransaction

    outcome, notebook = ran(Aborts)
    assert (outcome.status, notebook.acts) == ("failed", ["rollback"])


def test_objects_that_are_nothing_or_whose_link_breaks_are_no_harm():
    class Broken(Thing):
        def get_absolute_url(self) -> str:
            raise RuntimeError("no address")

    assert logged(lambda job: job.log_info([], "m")).objects == [(None, None)]
    assert logged(lambda job: job.log_info(Broken(), "m")).objects == [("t" * 200, None)]
    assert logged(lambda job: job.log_info(Thing("/" + "u" * 300), "m")).objects[0][1] == "/" + "u" * 254
