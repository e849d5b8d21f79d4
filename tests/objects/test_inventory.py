"""The demo: the same network everywhere, and two jobs that do something with it."""

import csv
import hashlib
from collections import Counter

import pytest

from examples.inventory import plugin
from examples.inventory.jobs.provisioning import NewBranch
from examples.inventory.jobs.reports import DeviceConnectionsReport
from examples.inventory.jobs.retiring import RetireSite
from examples.inventory.models import (
    ConsolePort,
    Device,
    DeviceRole,
    DeviceType,
    Manufacturer,
    PowerPort,
    Site,
    Status,
    slugify,
)


class Entries(list):
    """Stands in for the run of a job: keeps its entries."""

    def log(self, level, message, *, grouping, object_text, object_url):
        self.append((level, object_text, message))

    def levels(self):
        return Counter(level for level, _, _ in self)


@pytest.fixture
def demo(data):
    assert plugin.load_demo(data) is True
    with data.run_session(wait_seconds=5, on_wait=lambda: None) as session:
        yield session


def in_run(job):
    job._context = Entries()
    return job


def test_the_demo_is_the_same_everywhere_and_loaded_once(demo, data):
    demo.rollback()
    assert plugin.load_demo(data) is False
    counts = {model.__name__: model.objects.count() for model in (Site, Device, DeviceType, Manufacturer)}
    assert counts == {"Site": 30, "Device": 1500, "DeviceType": 24, "Manufacturer": 7}
    assert (ConsolePort.objects.count(), PowerPort.objects.count()) == (633, 1332)
    assert (Status.objects.count(), DeviceRole.objects.count()) == (5, 7)
    devices = Device.objects.values_list("name", "site__slug", "status__slug", "device_type__model", "serial")
    text = "\n".join(",".join(row) for row in devices.order_by("asset_tag"))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "0db76745db17cf4c"


def test_everything_in_the_demo_is_valid(demo):
    for model in (Site, DeviceType):
        for found in model.objects.all():
            found.full_clean()
    for device in Device.objects.all()[::50]:
        device.full_clean()


def test_the_report_names_every_device_that_is_not_in_order(demo):
    job = in_run(DeviceConnectionsReport())
    job.test_console_connections()
    job.test_power_connections()
    assert job.failed
    assert job._context.levels() == {"failure": 17, "warning": 32, "success": 2}
    active = {"device__status__slug": "active"}
    missing = ConsolePort.objects.filter(**active, connected_endpoint__isnull=True)
    assert [("failure", port.device.name, "Console port con0 is not connected") for port in missing] == [
        entry for entry in job._context if entry[2].startswith("Console") and entry[0] == "failure"
    ]


def test_the_report_has_nothing_to_say_about_an_empty_network(run):
    job = in_run(DeviceConnectionsReport())
    job.test_console_connections()
    job.test_power_connections()
    assert job._context.levels() == {"info": 2}


def test_a_new_branch_has_its_site_and_switches_and_lists_them(demo):
    model = DeviceType.objects.get(model="Catalyst 9300-48U")
    job = in_run(NewBranch())
    table = job.run(
        {"site_name": "Zürich, West", "switch_count": 3, "manufacturer": None, "switch_model": model}, True
    )
    assert list(csv.reader(table.splitlines())) == [
        ["name", "make", "model"],
        *([f"sw-zurich-west-acc-0{number}", "Cisco", "Catalyst 9300-48U"] for number in (1, 2, 3)),
    ]
    site = Site.objects.get(slug="zurich-west")
    assert (site.status.slug, Device.objects.filter(site=site, status__slug="planned").count()) == (
        "planned",
        3,
    )
    assert [entry[:2] for entry in job._context] == [
        ("success", "Zürich, West"),
        *(("success", f"sw-zurich-west-acc-0{number}") for number in (1, 2, 3)),
    ]


def test_a_new_branch_refuses_a_site_that_exists_and_makes_nothing(demo):
    model = DeviceType.objects.get(model="Catalyst 9300-48U")
    job = in_run(NewBranch())
    assert job.run({"site_name": "zurich  HQ", "switch_count": 3, "switch_model": model}, True) is None
    assert job.failed
    assert job._context == [
        ("failure", "Zurich HQ", "This site exists already; nothing was made. Choose another name.")
    ]
    assert (Site.objects.count(), Device.objects.count()) == (30, 1500)


def test_a_site_is_retired_as_planned_and_once(demo):
    site, job = Site.objects.get(slug="bern"), in_run(RetireSite())
    plan = job.plan(site)
    assert plan[0] == "Bern: Active -> Decommissioning"
    assert len(plan) == 1 + Device.objects.filter(site=site).count() > 5
    job.run(site)
    assert [f"{text}: " for _, text, _ in job._context] == [line[: line.index(": ") + 2] for line in plan]
    assert (job.plan(site), site.status.slug) == ([], "decommissioning")


def test_the_jobs_say_what_they_are():
    assert (NewBranch().name, DeviceConnectionsReport().name) == ("New Branch", "Device connections report")
    assert list(NewBranch._get_vars()) == ["site_name", "switch_count", "manufacturer", "switch_model"]
    assert DeviceConnectionsReport.read_only
    assert in_run(DeviceConnectionsReport()).test_methods == [
        "test_console_connections",
        "test_power_connections",
    ]


def test_slugs_hold_letters_digits_and_hyphens():
    assert [slugify(text) for text in ("Zürich  HQ!", "--a--b--", "東京", "St. Gallen")] == [
        "zurich-hq",
        "a-b",
        "",
        "st-gallen",
    ]
