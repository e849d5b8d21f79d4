"""What tests of Nautobot jobs are written with."""

import unittest
from pathlib import Path
from types import SimpleNamespace

import pytest

from examples.inventory.models import Manufacturer
from jobs import InvalidData, Job, StringVar
from worker import nautobot_testing
from worker.nautobot_testing import JobLogEntry, JobResult, TransactionTestCase, run_job_for_testing

pytest_plugins = ["worker.pytest_plugin"]


class Older(Job):
    word = StringVar(default="hello")

    def run(self, data, commit):
        Manufacturer.objects.create(name=data["word"], slug="made")
        self.log_info(message=f"It is {data['word']}.")
        self.log_warning(message="Careful.")
        if data["word"] == "break":
            raise ValueError("broken")
        if data["word"] == "fail":
            self.log_failure(message="It failed.")
        return data["word"]


class Newer(Job):
    word = StringVar()
    data = StringVar(required=False)

    def run(self, word, data):
        Manufacturer.objects.create(name=word, slug="made")
        self.logger.info("It is %s.", word)
        if word == "break":
            raise ValueError("broken")
        return [word, data, self.user.username]


def test_a_job_of_1x_is_run_without_commit_unless_asked(errand_data):
    result = run_job_for_testing(Older, data={"word": "one"})
    assert (result.status, result.result, result.data) == ("completed", "one", {"output": "\none"})
    assert not Manufacturer.objects.exists()
    run_job_for_testing(Older, {"word": "one"}, commit=True)
    assert Manufacturer.objects.get().name == "one"


@pytest.mark.parametrize(("word", "status"), [("fail", "failed"), ("break", "errored")])
def test_states_of_1x(errand_data, word, status):
    assert run_job_for_testing(Older, data={"word": word}).status == status


def test_a_job_of_2x_gets_its_inputs_by_name(errand_data):
    result = run_job_for_testing(Newer, word="one", data="two", username="alice")
    assert (result.status, result.result) == ("SUCCESS", ["one", "two", "alice"])
    assert Manufacturer.objects.get().name == "one"
    broken = run_job_for_testing(Newer, word="break")
    assert (broken.status, broken.traceback) == ("FAILURE", broken.tested.cause)


def test_the_user_of_a_request_counts(errand_data):
    request = SimpleNamespace(user=SimpleNamespace(username="bob"))
    assert run_job_for_testing(Newer, word="one", request=request).result[2] == "bob"


def test_inputs_are_checked(errand_data):
    with pytest.raises(InvalidData):
        run_job_for_testing(Newer)


def test_entries_are_asked_for_as_rows(errand_data):
    result = run_job_for_testing(Older)
    other = run_job_for_testing(Older, data={"word": "other"})
    entries = JobLogEntry.objects.filter(job_result=result)
    assert entries.count() == 3
    assert entries.filter(log_level="warning").get().message == "Careful."
    assert entries.filter(message__icontains="IT IS", grouping="run").exists()
    assert entries.exclude(log_level__in=["info", "warning"]).first() is None
    assert entries.order_by("-log_level").values_list("log_level", flat=True) == ["warning", "info", "info"]
    assert JobLogEntry.objects.filter(job_result__pk=other.pk).first().message == "It is other."
    assert result.logs.last() is result.job_log_entries.last()
    assert JobResult.objects.all() == [result, other]
    with pytest.raises(JobLogEntry.DoesNotExist):
        entries.get(message="nothing")
    with pytest.raises(JobLogEntry.MultipleObjectsReturned):
        entries.get(log_level="info")


def test_rows_of_another_test_are_gone(errand_data):
    assert not JobResult.objects.exists()
    assert not JobLogEntry.objects.exists()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    Path(tmp_path, "greetings.py").write_text(
        "from jobs import Job\n\n\nclass Hello(Job):\n    class Meta:\n        name = 'Say hello'\n\n"
        "    def run(self, data, commit):\n        return 'hello'\n"
    )
    monkeypatch.setenv("JOBS_ROOT", str(tmp_path))
    return tmp_path


def test_jobs_are_found_as_in_1x_and_in_2x(errand_data, folder):
    objects = nautobot_testing.Job.objects
    for job in (
        objects.get(job_class_name="Hello", module_name="greetings", source="local"),
        objects.get(job_class_name="Hello", module_name="greetings"),
        objects.get(name="Say hello"),
        objects.get_for_class_path("local/greetings/Hello"),
        objects.get_for_class_path("greetings.Hello"),
    ):
        assert (job.class_path, job.name, job.enabled) == ("local/greetings/Hello", "Say hello", True)
        job.validated_save()
        assert run_job_for_testing(job).result == "hello"


def test_a_job_that_is_not_there(errand_data, folder):
    objects = nautobot_testing.Job.objects
    with pytest.raises(nautobot_testing.Job.DoesNotExist):
        objects.get(job_class_name="Bye", module_name="greetings")
    with pytest.raises(nautobot_testing.Job.DoesNotExist):
        objects.get_for_class_path("local/nothing/Hello")


class InUnittest(TransactionTestCase):
    def setUp(self):
        super().setUp()
        Manufacturer.objects.create(name="In setUp", slug="set-up")

    def test_first(self):
        assert Manufacturer.objects.count() == 1
        run_job_for_testing(Older, commit=True)
        assert Manufacturer.objects.count() == 2

    def test_second(self):
        assert Manufacturer.objects.count() == 1


def test_a_test_case_works_in_unittest_too():
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(InUnittest).run(result)
    assert (result.testsRun, result.errors, result.failures) == (2, [], [])
