"""Tests of jobs: run in this process, on a database that is thrown away."""

import io
import shutil
import sys
from datetime import date
from pathlib import Path

import pytest

from examples.inventory.jobs.importing import ImportDevices
from examples.inventory.models import Device, DeviceRole, DeviceType, Manufacturer, Site, Status
from jobs import (
    AbortTransaction,
    ChoiceVar,
    DateVar,
    FileVar,
    IntegerVar,
    InvalidData,
    InvalidValue,
    Job,
    JobFailed,
    MultiObjectVar,
    ObjectVar,
    StringVar,
)
from jobs.errors import JobNotFound
from store.changes import changes_of
from store.objects import NoSession, current_session
from tests.conftest import FIXTURE_JOBS
from worker import testing

pytest_plugins = ["worker.pytest_plugin"]


class Greets(Job):
    host = StringVar(min_length=2)
    count = IntegerVar(default=1)

    def run(self, data, commit):
        self.log_info(f"**{data['host']}** x {data['count']}")
        self.log_warning(message="no console")
        print("printed <b>")
        self.job_result.data["kept"] = data["count"]
        return f"hello {data['host']}"


class MakesASite(Job):
    site_name = StringVar(default="Zug")
    then = StringVar(required=False)

    def run(self, data, commit):
        site = Site(name=data["site_name"], slug="s", status=Status.objects.get(slug="active"))
        site.validated_save()
        self.log_success(site, "Made it.")
        match data["then"]:
            case "fail":
                raise JobFailed("It was not to be.")
            case "break":
                raise ZeroDivisionError("by nothing")
            case "abort":
                raise AbortTransaction
            case "exit":
                sys.exit(3)
            case "stop":
                raise KeyboardInterrupt


class Renames(Job):
    site = ObjectVar(model=Site)
    others = MultiObjectVar(model=Site, required=False)

    def run(self, site, others):
        site.name += "!"
        site.save()
        return [other.name for other in others]


class TakesAFile(Job):
    table = FileVar(accept=[".csv"])
    day = DateVar(required=False)

    def validate(self, data):
        if not data["table"].read():
            raise InvalidValue("It is empty.")

    def run(self, table, day):
        self.create_file("copy.csv", table.read())
        self.progress(1, 2, "halfway")
        self.progress(2, 2)
        return [table.name, table.size, str(day)]


@pytest.fixture
def active(errand_data):
    return Status.objects.create(name="Active", slug="active")


@pytest.fixture
def zurich(active):
    return Site.objects.create(name="Zürich", slug="zurich", status=active)


@pytest.fixture
def handing(tmp_path):
    """A folder with one of the fixture jobs' files; others of them are broken."""
    shutil.copy(FIXTURE_JOBS / "handing.py", tmp_path)
    return tmp_path


# --- What is known of a run ---


def test_a_run_tells_all_that_its_result_would(run_job):
    run = run_job(Greets, {"host": "core-1", "count": "2"})
    assert (run.status, run.cause) == ("completed", "The job ran to its end.")
    assert run.messages == ["**core-1** x 2", "no console", "printed <b>"]
    assert (run.return_value, run.output, run.results) == ("hello core-1", "\nhello core-1", {"kept": 2})
    assert [(entry.level, entry.grouping) for entry in run.entries] == [
        ("info", "run"),
        ("warning", "run"),
        ("info", "run"),
    ]


def test_entries_have_the_html_of_their_pages(run_job):
    said, _, printed = run_job(Greets, {"host": "core-1"}).entries
    assert "<strong>core-1</strong>" in said.html
    assert "&lt;b&gt;" in printed.html


def test_what_is_said_in_colours_is_plain_text_but_in_its_html(run_job):
    class Coloured(Job):
        def run(self):
            self.log_info("\x1b[31mred\x1b[0m")
            print("\x1b[32mgreen\n and more")

    run = run_job(Coloured)
    assert run.messages == ["red", "green", " and more"]
    assert [entry.html for entry in run.entries] == [
        '<p><span class="sgr-red">red</span></p>',
        '<p><span class="sgr-green">green</span></p>',
        '<pre><span class="sgr-green"> and more</span></pre>',
    ]


def test_logged_finds_entries_by_level_text_and_grouping(run_job, zurich):
    run = run_job(Greets, {"host": "core-1"})
    assert run.logged("warning", "no console")
    assert run.logged(text="console", grouping="run")
    assert not run.logged("info", "no console")
    assert not run.logged("warning", grouping="post_run")
    assert run_job(MakesASite, {"site_name": "Chur"}).logged("success", "Chur")


def test_what_a_job_prints_is_seen_by_the_test_too(run_job, capsys):
    run_job(Greets, {"host": "core-1"})
    assert capsys.readouterr().out == "printed <b>\n"


def test_a_job_writes_bytes_to_its_standard_output(run_job):
    class Writes(Job):
        def run(self, data, commit):
            sys.stdout.buffer.write(b"as bytes\n")
            print("to stderr", file=sys.stderr)

    assert run_job(Writes).messages == ["as bytes", "to stderr"]


def test_a_run_as_text_is_its_log(run_job):
    run = run_job(Greets, {"host": "core-1"})
    assert str(run).splitlines()[:2] == [
        "<Greets: completed. The job ran to its end.>",
        "run · info: **core-1** x 1",
    ]


def test_a_job_knows_who_asked_and_how(run_job, errand_jobs, handing):
    errand_jobs(handing)
    request = {"path": "/jobs/", "META": {"REMOTE_ADDR": "192.0.2.1", "HTTP_USER_AGENT": "curl"}}
    told = run_job("local/handing/TellsWhoAsked", username="alice", request=request).return_value
    assert (told["user"], told["asked"]["from"], told["asked"]["id"]) == ("alice", "192.0.2.1", True)
    assert run_job("local/handing/TellsWhoAsked").return_value == {"asked": None, "user": "test-user"}


# --- Inputs ---


def test_inputs_that_do_not_fit_are_refused_and_nothing_runs(run_job):
    with pytest.raises(InvalidData) as refusal:
        run_job(Greets, {"host": "x", "colour": "red"})
    assert set(refusal.value.errors) == {"host", "colour"}


def test_objects_are_given_by_key_by_lookup_or_themselves(run_job, zurich):
    for given in (zurich.pk, str(zurich.pk), {"slug": "zurich"}, zurich):
        run = run_job(Renames, {"site": given, "others": [given]})
        assert run.status == "completed", run
    assert zurich.name == "Zürich!!!!"
    assert run_job(Renames, {"site": zurich, "others": Site.objects.all()}).return_value == ["Zürich!!!!!"]


def test_an_object_that_is_not_there_is_refused(run_job):
    with pytest.raises(InvalidData, match="There is no site with the key 7"):
        run_job(Renames, {"site": 7})


@pytest.mark.parametrize("given", [b"a,b\n", ("ports.csv", b"a,b\n"), Path("ports.csv"), "open"])
def test_files_are_given_as_bytes_with_a_name_or_by_path(run_job, given, tmp_path):
    if isinstance(given, Path):
        given = tmp_path / given
        given.write_bytes(b"a,b\n")
    if given == "open":
        given = io.BytesIO(b"a,b\n")
        given.name = "upload/ports.csv"
    run = run_job(TakesAFile, {"day": date(2026, 3, 1)}, files={"table": given})
    name = "table.csv" if isinstance(given, bytes) else "ports.csv"
    assert run.return_value == [name, 4, "2026-03-01"]
    assert run.files == {"copy.csv": b"a,b\n"}
    assert run.logged("info", "copy.csv")
    assert run.progress == [
        {"done": 1, "total": 2, "text": "halfway"},
        {"done": 2, "total": 2, "text": ""},
    ]


def test_a_file_of_another_kind_is_refused(run_job):
    with pytest.raises(InvalidData, match="another kind"):
        run_job(TakesAFile, {"table": ("ports.exe", b"MZ")})


def test_the_job_judges_its_inputs(run_job):
    with pytest.raises(InvalidData, match="It is empty"):
        run_job(TakesAFile, {"table": b""})


def test_choices_and_defaults_are_computed(run_job):
    class Chooses(Job):
        size = ChoiceVar(choices=lambda: [(site.slug, site.name) for site in Site.objects.all()])
        count = IntegerVar(default=lambda: Site.objects.count())

        def run(self, data, commit):
            return [data["size"], data["count"]]

    status = Status.objects.create(name="Active", slug="active")
    Site.objects.create(name="Bern", slug="bern", status=status)
    assert run_job(Chooses, {"size": "bern"}).return_value == ["bern", 1]
    with pytest.raises(InvalidData, match="Select a valid choice"):
        run_job(Chooses, {"size": "zug"})


def test_what_cannot_be_computed_says_why(run_job):
    class Cannot(Job):
        size = ChoiceVar(choices=lambda: 1 / 0)

    with pytest.raises(InvalidData, match="could not be computed: division by zero") as refusal:
        run_job(Cannot, {"size": "s"})
    assert isinstance(refusal.value.__cause__, ZeroDivisionError)


# --- Endings ---


def test_changes_of_a_run_are_saved(run_job, active):
    run = run_job(MakesASite)
    assert [site.name for site in run.objects(Site)] == ["Zug"]
    site = Site.objects.get()
    [entry] = run.logged("success")
    assert (entry.object_text, entry.object_url) == ("Zug", site.get_absolute_url())
    [change] = changes_of(current_session(), "inventory.site", site.pk)
    assert (change.action, change.username, change.result_id) == ("create", "test-user", run.id)


def test_a_dry_run_saves_nothing_but_keeps_what_the_test_made(run_job, active):
    run = run_job(MakesASite, commit=False)
    assert run.cause == "The job ran to its end; no change was saved."
    assert not run.objects(Site).exists()
    assert Status.objects.get() is active
    [entry] = run.logged("success", "Made it")
    assert (entry.object_text, entry.object_url) == ("Zug", None)


@pytest.mark.parametrize(
    ("then", "status", "cause"),
    [
        ("fail", "failed", "It was not to be."),
        ("break", "errored", "The job raised ZeroDivisionError: by nothing"),
        ("exit", "errored", "The job called exit(3). None of its changes were saved."),
        ("abort", "completed", "The job ran to its end."),
    ],
)
def test_a_run_ends_as_in_production(run_job, active, then, status, cause):
    run = run_job(MakesASite, {"then": then})
    assert (run.status, run.cause) == (status, cause)
    assert not run.objects(Site).exists()


def test_what_broke_a_job_is_known_and_can_be_let_through(run_job, active):
    run = run_job(MakesASite, {"then": "break"})
    assert isinstance(run.exception, ZeroDivisionError)
    assert run.logged("failure", "by nothing")
    with pytest.raises(ZeroDivisionError) as broken:
        run_job(MakesASite, {"then": "break"}, reraise=True)
    assert broken.traceback[-1].path == Path(__file__), "a debugger ends up in the job's own code"
    assert not Site.objects.exists()
    assert run_job(MakesASite, {"then": "fail"}, reraise=True).status == "failed"


def test_a_run_can_be_interrupted(run_job, active):
    with pytest.raises(KeyboardInterrupt):
        run_job(MakesASite, {"then": "stop"})
    assert not Site.objects.exists()


def test_a_file_that_is_too_large_is_refused_as_a_portal_would(run_job, errand_jobs, handing):
    jobs = errand_jobs(handing)
    run = run_job(jobs.MakesTooMuch)
    assert run.status == "completed"
    assert run.logged("warning", "larger than 10 MB")
    assert list(run.files) == ["small.bin"]


# --- The database of a test ---


@pytest.mark.parametrize("time", [1, 2])
def test_each_test_begins_with_an_empty_database(run_job, errand_data, time):
    assert not Status.objects.exists()
    made = Status.objects.create(name="Active", slug="active")
    assert made.pk == 1
    assert run_job(MakesASite).status == "completed"


def test_runs_of_a_test_find_what_earlier_ones_left(run_job, active):
    assert run_job(MakesASite).status == "completed"
    assert run_job(MakesASite).status == "errored"
    assert Site.objects.count() == 1


def test_the_session_takes_objects_as_sqlalchemy_does(run_job, errand_data):
    errand_data.add(Status(name="Active", slug="active"))
    assert run_job(MakesASite).status == "completed"


def test_the_demo_is_there_for_whoever_asks(errand_demo, run_job):
    assert Device.objects.count() == 1500
    site = Site.objects.get(name="Bern")
    model, role = DeviceType.objects.first(), DeviceRole.objects.first()
    table = f"name,model,role\nnew-1,{model.model},{role.name}\nnew-2,none,{role.name}\n".encode()
    run = run_job(ImportDevices, {"site": site, "table": table})
    assert run.return_value == {"taken": 1, "left out": 1}
    assert run.objects(Device).filter(name="new-1", site=site).exists()
    assert b"There is no model none" in run.files["left out.csv"]


def test_after_the_demo_the_database_is_empty_again(errand_data):
    assert not Device.objects.exists()


def test_blocks_are_not_nested(errand_data):
    with pytest.raises(RuntimeError, match="cannot be nested"), testing.errand_data():
        pass
    assert current_session() is errand_data


def test_without_a_block_each_run_has_a_database_of_its_own():
    first = testing.run_job(MakesManufacturer)
    assert first.objects(Manufacturer).count() == 1
    with pytest.raises(NoSession):
        current_session()
    second = testing.run_job(MakesManufacturer)
    assert second.objects(Manufacturer).count() == 1
    with pytest.raises(RuntimeError, match="has begun anew"):
        first.objects(Manufacturer)


class MakesManufacturer(Job):
    def run(self, data, commit):
        Manufacturer.objects.create(name=f"Maker {Manufacturer.objects.count()}", slug="maker")


def test_context_variables_of_a_run_are_its_own(run_job, errand_data):
    run_job(MakesManufacturer)
    assert current_session() is errand_data


# --- Which job ---


def test_a_function_made_a_job_is_run(run_job):
    def greets():
        raise AssertionError

    greets.job_class = Greets
    assert run_job(greets, {"host": "core-1"}).return_value == "hello core-1"


@pytest.fixture
def folder(tmp_path):
    Path(tmp_path, "part.py").write_text("WORD = 'hello'\n")
    Path(tmp_path, "hello.py").write_text(
        "from jobs import Job\nfrom part import WORD\n\n\n"
        "class Hello(Job):\n    def run(self, data, commit):\n        return [WORD, self.class_path]\n"
    )
    return tmp_path


def test_a_class_path_is_looked_up_in_given_folders(run_job, folder):
    assert run_job("local/hello/Hello", folders=[folder]).return_value == ["hello", "local/hello/Hello"]


def test_a_class_path_is_looked_up_in_the_jobs_root(run_job, folder, monkeypatch):
    monkeypatch.setenv("JOBS_ROOT", str(folder))
    assert run_job("local/hello/Hello").return_value == ["hello", "local/hello/Hello"]


def test_a_job_is_named_by_its_file(run_job, folder):
    assert run_job(f"{folder}/hello.py::Hello").return_value == ["hello", "local/hello/Hello"]


def test_a_plugin_s_job_is_found_by_its_class_path(errand_demo, run_job):
    run = run_job(
        "plugins/examples.inventory.jobs.provisioning/NewBranch",
        {"site_name": "Chur", "switch_model": {"model": "EX2300-48P"}},
    )
    assert run.status == "completed", run
    assert run.objects(Site).filter(name="Chur").exists()


def test_an_edited_file_counts_at_once(run_job, folder):
    assert run_job("local/hello/Hello", folders=[folder]).return_value[0] == "hello"
    Path(folder, "part.py").write_text("WORD = 'good bye'\n")
    assert run_job("local/hello/Hello", folders=[folder]).return_value[0] == "good bye"


def test_a_folder_s_jobs_are_loaded_for_the_test_only(folder):
    with testing.jobs_in(folder) as jobs:
        assert list(jobs) == ["local/hello/Hello"]
        assert jobs.Hello is jobs["local/hello/Hello"]
        with pytest.raises(AttributeError, match="no job Helo in: local/hello/Hello"):
            jobs.Helo  # noqa: B018
        assert "part" in sys.modules
    assert "part" not in sys.modules
    assert not [name for name in sys.modules if name.startswith("errand_jobs")]


@pytest.mark.parametrize("job", ["local/nothing/Hello", "local/hello/Nothing", "/nowhere/hello.py::Hello"])
def test_a_job_that_is_not_there_is_said(run_job, folder, job):
    with pytest.raises(JobNotFound):
        run_job(job, folders=[folder])


def test_what_is_no_job_is_refused(run_job):
    with pytest.raises(TypeError, match="Give a job class"):
        run_job(42)


def test_what_a_job_asks_for_is_run_in_the_test_too(run_job):
    squares = f"{FIXTURE_JOBS}/fanning.py::Squares"
    run = run_job(squares, {"count": 3, "bad": 1})
    assert (run.status, run.return_value) == ("completed", 4 + 9), run
    assert [child.status for child in run.children] == ["failed", "completed", "completed"]
    assert run.results == {"asked": 3, "failed": [1]}
    assert run.messages == ["It asks.", "3 have ended."]
    alone = run_job(squares, {"count": 2, "bad": 1, "gathers": False})
    assert (alone.status, alone.cause) == ("failed", "1 of 2 runs did not complete.")


def test_a_job_keeps_values_from_one_run_of_a_test_to_the_next(run_job):
    remembers = f"{FIXTURE_JOBS}/remembering.py::Remembers"

    def told(*acts, commit=True):
        return run_job(remembers, {"acts": list(acts)}, commit=commit).return_value

    assert told(["set", "a", 1], ["get", "a"])[-1] == 1
    assert told(["set", "a", 2], ["get", "a"], commit=False)[-1] == 2
    assert told(["get", "a"], ["delete", "b"], ["set a set", "c"], ["items"]) == [
        1,
        "KeyError: 'b'",
        "ValueError: c was not kept: its value does not fit into JSON: Object of type set is not JSON serializable.",
        [1, {"a": 1}],
    ]
