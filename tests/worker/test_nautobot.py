"""Job files of Nautobot, without Nautobot."""

import pytest

from examples.inventory.models import DeviceRole, DeviceType, Manufacturer, Site, Status
from store.data import Data
from store.models import JobRecord
from tests.worker.conftest import Portal, Web, on_sqlite
from worker.lookups import open_data
from worker.refresh import refresh


@pytest.fixture
def data(portal: Portal) -> Data:
    """What a shop needs."""
    data = open_data(portal.settings)
    with data.run_session(wait_seconds=10, on_wait=lambda: None) as session:
        planned = Status.objects.create(name="Planned", slug="planned")
        maker = Manufacturer.objects.create(name="Acme", slug="acme")
        DeviceType.objects.create(manufacturer=maker, model="T1", slug="t1")
        DeviceRole.objects.create(name="Till", slug="till")
        Site.objects.create(name="Old shop", slug="old-shop", status=planned)
        session.commit()
    return data


def makers(data: Data) -> set[str]:
    with data.session():
        return set(Manufacturer.objects.values_list("name", flat=True))


def test_a_job_makes_objects_logs_them_and_returns_text(portal: Portal, data: Data):
    raw = {"shop": "Corner Shop", "model": {"model": "T1"}}
    result = portal.run("OpensAShop", raw=raw, commit=True)
    assert (result.status, result.output) == ("completed", "\ncorner-shop-till by Acme")
    assert [(entry.level, entry.object_text) for entry in portal.entries(result)] == [
        ("success", "Corner Shop"),
        ("success", "corner-shop-till"),
    ]
    assert portal.run("OpensAShop", raw=raw, commit=True).cause.startswith("The job raised ValidationError: ")
    with data.session():
        assert Site.objects.get(slug="corner-shop").name == "Corner Shop"


@on_sqlite
def test_what_such_jobs_say_of_themselves(portal: Portal):
    shop, shops = portal.jobs["OpensAShop"], portal.jobs["ChecksShops"]
    assert (shop.name, shop.grouping, shop.commit_default) == ("Open a shop", "From Nautobot 1", False)
    assert [one["name"] for one in shop.variables] == ["shop", "model", "maker"]
    assert (shop.variables[0]["widget"], shop.variables[0]["min_length"]) == ("textarea", 3)
    assert shops.description == "Look at **every** shop."


@on_sqlite
def test_their_inputs_are_nobodys_business_unless_they_say_so(portal: Portal):
    mine = {
        job: portal.jobs[job].has_sensitive_variables for job in ("CountsTills", "CleansUpInTime", "Passes")
    }
    assert mine == {"CountsTills": True, "CleansUpInTime": False, "Passes": False}
    assert portal.submit("CountsTills", raw={"at_least": 3}).data == {}


@on_sqlite
def test_bases_are_no_jobs_though_a_file_imports_them(portal: Portal):
    listed = {job.class_name for job in portal.jobs.values() if job.module == "nautobot_1"}
    assert not listed & {"Job", "BaseJob", "Script", "Report", "JobHookReceiver", "OnlyABase"}
    assert "Hears" in listed


@on_sqlite
def test_checks_run_as_they_are_written(portal: Portal, data: Data):
    result = portal.run("ChecksShops", commit=True)
    assert result.status == "completed"
    assert [line for line in portal.messages(result) if "good measure" not in line[2]] == [
        ("warning", "test_zone", "Old shop has no time zone"),
        ("success", "test_address", "None"),
        ("info", "test_address", "123"),
        ("debug", "test_address", "looked twice"),
        ("default", "post_run", "True True"),
    ]


@on_sqlite
def test_the_logger_of_a_task_makes_entries(portal: Portal, data: Data):
    said = portal.messages(portal.run("ChecksShops"))
    (line,) = [line for line in said if "good measure" in line[2]]
    assert line[:2] == ("warning", "test_address")


@on_sqlite
def test_scripts_log_messages(portal: Portal, data: Data):
    result = portal.run("CountsTills", raw={"at_least": 1}, commit=True)
    assert (result.status, result.return_value, result.output) == ("failed", 0, "")
    assert portal.messages(result) == [("info", "run", "0 tills"), ("failure", "run", "too few")]


@on_sqlite
def test_a_script_without_run_is_errored(portal: Portal):
    result = portal.run("ScriptOfNothing")
    assert result.cause == "The job raised NotImplementedError: The script must define a run() method."


@on_sqlite
def test_reports_log_about_objects(portal: Portal, data: Data):
    result = portal.run("ChecksTills", commit=False)
    assert result.status == "failed"
    assert [(entry.level, entry.object_text, entry.message) for entry in portal.entries(result)] == [
        ("success", "Planned", "None"),
        ("info", "Planned", "seen"),
        ("warning", None, "that was all"),
        ("failure", "till 7", "missing"),
        ("info", None, "Database changes have been reverted automatically."),
    ]


@on_sqlite
def test_a_report_needs_a_check_and_entries_a_message(portal: Portal, data: Data):
    result = portal.run("ReportOfNothing")
    assert result.status == "errored"
    assert "A report must contain at least one test method." in result.cause
    assert "An entry of a report needs a message" in portal.run("ReportsWithoutAMessage").cause


def test_parts_of_the_changes_are_taken_back_alone(portal: Portal, data: Data):
    result = portal.run("SavesInParts", commit=True)
    assert result.status == "completed"
    assert makers(data) == {"Acme", "One", "Three"}
    assert portal.messages(result) == [
        ("warning", "run", "Two is not wanted"),
        ("info", "run", "Two is gone"),
        ("info", "run", "told of One"),
        ("info", "run", "told of Three"),
    ]


@on_sqlite
def test_a_dry_run_tells_nobody(portal: Portal, data: Data):
    result = portal.run("SavesInParts", commit=False)
    assert makers(data) == {"Acme"}
    assert not [entry for entry in portal.entries(result) if "told" in entry.message]


def test_what_is_done_after_the_commit_may_change_more_or_fail(portal: Portal, data: Data):
    assert portal.run("ChangesAfterwards", commit=True).status == "completed"
    result = portal.run("TellsInVain", commit=True)
    assert result.status == "failed"
    failed, told = portal.entries(result)
    assert failed.message.startswith(
        "The changes are saved, but what was to be done then failed: `IntegrityError"
    )
    assert told.message == "told"
    assert makers(data) == {"Acme", "Late", "Kept"}


@on_sqlite
def test_an_abort_takes_all_back_and_is_no_error(portal: Portal, data: Data):
    assert portal.run("Aborts", commit=True).status == "completed"
    assert makers(data) == {"Acme"}


@on_sqlite
def test_the_soft_limit_raises_what_the_file_catches(portal: Portal):
    result = portal.run("CleansUpInTime")
    assert result.status == "completed"
    assert ("info", "run", "cleaned up") in portal.messages(result)


@on_sqlite
def test_what_else_is_served(portal: Portal):
    result = portal.run("AsksForMuch")
    said = [entry.message for entry in portal.entries(result)]
    assert said[:5] == [
        "default True",
        "none",
        "failure ['create', 'update', 'delete']",
        "to ***@host",
        "Aborts None",
    ]
    assert "`self.user` is the person who asked" in result.cause


@on_sqlite
def test_a_refresh_knows_the_models_of_the_plugins(portal: Portal):
    with portal.platform.session() as db:
        report = refresh(db, portal.settings)
    assert "nautobot_1" not in {error.module for error in report.errors}
    assert "local/nautobot_1/OpensAShop" not in report.gone


@on_sqlite
def test_two_jobs_of_one_name_are_told_apart(portal: Portal):
    assert (portal.jobs["TwinOfOne"].name, portal.jobs["TwinOfTwo"].name) == ("Twin", "Twin (2)")


@on_sqlite
def test_a_plugins_jobs_are_found_as_old_documents_spell_them(portal: Portal, web: Web):
    with portal.platform.reading() as db:
        path = db.query(JobRecord).filter_by(source="plugins", class_name="NewBranch").one().class_path
    assert path.startswith("plugins/")
    old = path.replace("plugins/", "plugin/", 1)
    assert web.page(f"/jobs/{old}/").status_code == 200


@on_sqlite
def test_inputs_may_be_called_as_what_a_job_has(portal: Portal):
    names = ["data", "request", "user", "result", "file_path", "class_path", "grouping"]
    result = portal.run("NamesThemOddly", raw=dict.fromkeys(names, "x"))
    assert result.output == "\n" + ",".join(f"{name}=x" for name in names)
    assert portal.messages(result)[0] == ("info", "run", "alice asks")
