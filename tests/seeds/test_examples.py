"""Every example of the two documents runs as it is printed."""

from pathlib import Path

import pytest

from examples.inventory.models import ConsolePort, Device, DeviceType, Manufacturer, PowerPort, Site
from jobs.loading import Source
from store.data import Data
from store.models import LoadError
from tests.cli.conftest import Portal as Shell
from tests.seeds.conftest import blocks_of, seed
from tests.worker.conftest import Portal, Web, on_sqlite
from worker.discover import discover

pytestmark = pytest.mark.in_turn


BRANCH = {"site_name": "Basel Dreispitz", "switch_count": "2"}


def model_of(data: Data) -> DeviceType:
    with data.session():
        return DeviceType.objects.get(model="EX3400-48P")


def switches(data: Data, site: str) -> list[str]:
    with data.session():
        return list(Device.objects.filter(site__slug=site).values_list("name", flat=True))


MADE = ["basel-dreispitz-switch1", "basel-dreispitz-switch2"]
TABLE = (
    "name,make,model\nbasel-dreispitz-switch1,Juniper,EX3400-48P\nbasel-dreispitz-switch2,Juniper,EX3400-48P"
)


def test_new_branch_runs_from_a_script(portal: Portal, web: Web, data: Data):
    result = portal.execute(web.submitted("NewBranch", **BRANCH, switch_model=model_of(data).pk))
    assert (result.status, result.cause) == ("completed", "The job ran to its end.")
    assert result.output == f"\n{TABLE}"
    assert switches(data, "basel-dreispitz") == MADE
    assert [
        (entry.level, entry.object_text, entry.message)
        for entry in portal.entries(result)
        if entry.level == "success"
    ] == [
        ("success", "Basel Dreispitz", "Created new site"),
        ("success", MADE[0], "Created new switch"),
        ("success", MADE[1], "Created new switch"),
    ]


@on_sqlite
def test_new_branch_runs_from_its_form(portal: Portal, web: Web, data: Data):
    form = web.page(f"/jobs/{portal.jobs['NewBranch'].class_path}/").text
    places = [
        form.index(f'"v-{name}"') for name in ("site_name", "switch_count", "switch_model", "manufacturer")
    ]
    assert places == sorted(places), "field_order comes first, the rest as defined"
    answer = web.ask("NewBranch", **BRANCH, switch_model=str(model_of(data).pk), manufacturer="")
    assert answer.status_code == 303
    with portal.platform.reading() as db:
        from store.models import JobResult

        result = db.query(JobResult).one()
    assert portal.execute(result).status == "completed"
    assert result.data == {}, "the inputs of such jobs are nobody's business"


@on_sqlite
def test_new_branch_offers_the_models_of_its_manufacturer_only(portal: Portal, data: Data):
    with data.session():
        cisco = Manufacturer.objects.get(name="Cisco").pk
    with pytest.raises(Exception, match="does not fit"):
        portal.submit("NewBranch", raw={**BRANCH, "manufacturer": cisco, "switch_model": model_of(data).pk})


def test_new_branch_runs_at_a_shell(shell: Shell):
    inputs = '{"site_name": "Basel Dreispitz", "switch_count": 2, "switch_model": {"model": "EX3400-48P"}}'
    said = shell("runjob", "NewBranch", "--local", "-u", "alice", "--commit", "-d", inputs)
    assert said.exit_code == 0
    assert TABLE in said.stdout
    assert "\trun: 3 success, 0 info, 0 warning, 0 failure\n" in said.stdout
    assert "success: Basel Dreispitz: Created new site" in said.stdout
    assert f"{shell.jobs['NewBranch']}: SUCCESS" in said.stdout


@on_sqlite
def test_new_branch_runs_dry_and_leaves_nothing(portal: Portal, data: Data):
    raw = {**BRANCH, "switch_model": model_of(data).pk}
    result = portal.run("NewBranch", raw=raw, commit=False)
    assert (result.status, result.output) == ("completed", f"\n{TABLE}")
    assert portal.messages(result)[-1] == (
        "info",
        "run",
        "Database changes have been reverted automatically.",
    )
    assert switches(data, "basel-dreispitz") == []


@on_sqlite
def test_new_branch_that_is_refused_by_the_models_rules_breaks_and_leaves_nothing(portal: Portal, data: Data):
    with data.session():
        before = Site.objects.count()
    raw = {**BRANCH, "site_name": "Basel", "switch_model": model_of(data).pk}
    result = portal.run("NewBranch", raw=raw)
    assert result.status == "errored"
    assert "ValidationError" in result.cause
    with data.session():
        assert Site.objects.count() == before


def expected_of_the_report(data: Data) -> dict[str, int]:
    """Count for ourselves what the example's loops find."""
    counts = {"success": 0, "warning": 0, "failure": 0}
    with data.session():
        for port in ConsolePort.objects.filter(device__status__slug="active"):
            if port.connected_endpoint_id is None:
                counts["failure"] += 1
            else:
                counts["success" if port.connection_status else "warning"] += 1
        connected: dict[int, int] = dict.fromkeys(
            Device.objects.filter(status__slug="active").values_list("id", flat=True), 0
        )
        for port in PowerPort.objects.filter(device__status__slug="active"):
            if port.connected_endpoint_id is not None:
                connected[port.device_id] += 1
                counts["warning"] += not port.connection_status
    bad = sum(number < 2 for number in connected.values())
    counts["failure"] += bad
    counts["success"] += len(connected) - bad
    return counts


def test_the_connections_report_runs_from_a_script(portal: Portal, web: Web, data: Data):
    result = portal.execute(web.submitted("DeviceConnectionsReport"))
    assert result.status == "failed", "some ports are not connected"
    counted = {level: result.counts.get(level, 0) for level in ("success", "warning", "failure")}
    assert counted == expected_of_the_report(data)
    assert [group.name for group in portal.groups(result)] == [
        "test_console_connection",
        "test_power_connections",
    ]
    found = portal.entries(result)[0]
    assert (found.level, found.message) == ("success", "None")
    assert found.object_url is not None
    assert found.object_url.startswith("/objects/inventory.device/")


@on_sqlite
def test_the_connections_report_has_the_description_of_its_class(portal: Portal, web: Web, document: str):
    job = portal.jobs["DeviceConnectionsReport"]
    (line,) = [line for line in blocks_of(document)[-1].text.splitlines() if "description" in line]
    assert job.description == line.split('"')[1]
    assert job.description in web.page(f"/jobs/{job.class_path}/").text
    assert web.ask("DeviceConnectionsReport").status_code == 303


@on_sqlite
def test_the_connections_report_runs_at_a_shell(shell: Shell):
    said = shell("runjob", "DeviceConnectionsReport", "--local")
    assert said.exit_code == 0
    assert f"{shell.jobs['DeviceConnectionsReport']}: FAILED" in said.stdout
    assert "\ttest_power_connections: " in said.stdout


@on_sqlite
def test_jobs_without_any_code_run(portal: Portal):
    for job in ("CreateDevices", "DeviceIPsReport", "MyJob"):
        assert portal.run(job).status == "completed"
    assert portal.jobs["MyJob"].commit_default is False


@on_sqlite
@pytest.mark.parametrize("document", ["1_5"], indirect=True)
def test_descriptions_and_limits_are_as_they_are_written(portal: Portal, web: Web):
    described = portal.jobs["ExampleJob"]
    assert described.description.startswith("This job does")
    assert "\n 1. It " in described.description
    page = web.page(f"/jobs/{described.class_path}/").text
    assert page.count("<li>It") == 3, "the list of its description is a list"
    soft, hard = portal.jobs["ExampleJobWithSoftTimeLimit"], portal.jobs["ExampleJobWithHardTimeLimit"]
    assert (soft.soft_time_limit, hard.time_limit) == (10, 10)
    result = portal.run("ExampleJobWithSoftTimeLimit")
    assert result.status == "completed"
    assert ("info", "run", "cleaned up") in portal.messages(result)


@on_sqlite
def test_variables_as_they_are_shown_one_by_one(portal: Portal):
    described = {one["name"]: one for one in portal.jobs["Pieces"].variables}
    assert described["direction"]["choices"][0] == ["n", "North"]
    assert described["device"]["model"] == "inventory.device"
    assert described["device"]["query_params"] == {"status": "active"}
    assert described["device_type"]["display_field"] == "dns_name"
    assert described["site"]["query_params"]["region_id"] == "$region"


@on_sqlite
def test_a_job_knows_who_asked_and_from_where(portal: Portal, web: Web):
    result = portal.execute(web.submitted("Asks"))
    assert portal.messages(result)[0] == ("info", "run", "Running as user alice (IP: 127.0.0.1)...")


@on_sqlite
def test_examples_with_gaps_are_told_and_hide_nothing(portal: Portal):
    with portal.platform.reading() as db:
        errors = [error.message for error in db.query(LoadError)]
    assert len(errors) == 2
    assert all("CreateDevices" in message and "whole number" in message for message in errors)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("import run_job_for_testing", "nautobot.extras.models has no Job"),
        ('if "job_logs" in settings.DATABASES:\n    settings', "There is no setting DATABASES here"),
        ("from django.contrib.contenttypes", "django.contrib.contenttypes is not served"),
        ("import populate_status_choices", "django.apps is not served"),
    ],
)
def test_what_is_no_job_is_told_what_it_lacks(tmp_path: Path, words: str, sentence: str):
    seed("nautobot-jobs-1.5.md")
    (text,) = [block.text for block in blocks_of("1_5") if words in block.text]
    (tmp_path / "tried.py").write_text(text, "utf-8")
    (found,) = discover([Source("local", (str(tmp_path),))])
    assert [error["message"] for error in found.errors if sentence in error["message"]], found.errors
