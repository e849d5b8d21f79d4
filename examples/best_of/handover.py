"""One job that does what a portal is for: asks well, is approved by its plan, works in parallel, and tells what came of it."""

import csv
import io
import time
from collections.abc import Iterator, Mapping
from typing import Any

from examples.inventory.models import Device, DeviceRole, PowerPort, Status
from jobs import (
    ChoiceVar,
    IntegerVar,
    InvalidData,
    Job,
    JobFailed,
    ObjectVar,
    SecretVar,
    StringVar,
    TextVar,
)
from jobs.fan_out import Outcomes
from jobs.report import Chart, File, Metric, ObjectLink, Section, Table

name = "Best of"

NEEDED_SUPPLIES = 2

#: As many runs as are compared in the report.
LAST_RUNS = 12


class ProbeDevice(Job):
    """Look whether one device may go into service. The job that hands over a site asks for a run for each of its devices."""

    device = ObjectVar(model=Device)
    password = SecretVar(description="For the device. Only the worker can open it.")
    seconds = IntegerVar(default=1, min_value=0, max_value=10, description="It takes so long to answer.")

    class Meta:
        name = "Probe a device"
        read_only = True
        idempotent = True
        max_retries = 1

    def run(self, device: Device, password: str, seconds: int) -> dict[str, int]:
        self.log_info(device, f"Signing in with a password of {len(password)} characters")
        for second in range(seconds):
            self.progress(second, seconds, f"Waiting for {device}")
            time.sleep(1)
        supplies = PowerPort.objects.filter(device=device)
        connected = sum(1 for port in supplies if port.connected_endpoint_id is not None)
        if len(supplies) and connected < NEEDED_SUPPLIES:
            raise JobFailed(f"{connected} of {NEEDED_SUPPLIES} power supplies of {device} are connected.")
        self.log_success(device, "Answers, and is powered")
        return {"supplies": connected}


class HandOverSite(Job):
    """
    Put the **planned devices** of a site into service.

    1. Somebody else approves it, and reads beforehand which devices it will change.
    2. Each device is probed by a run of its own, on all workers.
    3. Those that are in order become *Active*: all of them, or none if too many are not.
    """

    def sites(self) -> list[tuple[str, str]]:
        devices = Device.objects.filter(status__slug="planned").select_related("site")
        found = {device.site.slug: device.site.name for device in devices.order_by("site__name")}
        return list(found.items())

    def share(self, values: Mapping[str, Any]) -> int:
        return len(self.planned(values["site"], values.get("role"))) // 10

    def about_site(self, values: Mapping[str, Any]) -> str:
        count = len(self.planned(values["site"], values.get("role")))
        return f"**{count}** of its devices would be probed."

    scope = ChoiceVar(
        choices=[("all", "All planned devices"), ("role", "Those of one role")], default="all", label="Which"
    )
    role = ObjectVar(model=DeviceRole, shown_if={"scope": "role"}, description="Such as *Access Switch*.")
    site = ChoiceVar(
        choices=sites,
        depends_on=["role"],
        description="Sites in which something is planned.",
        widget="select",
    )
    tolerated = IntegerVar(
        label="Bad devices that are tolerated",
        default=share,
        description=about_site,
        depends_on=["site", "role"],
        shown_if={"site": True},
        min_value=0,
    )
    password = SecretVar(
        label="Enable password", min_length=4, description="Of the devices; it is sealed at once."
    )
    ticket = StringVar(regex=r"^CHG-\d{4,}$", description="Such as `CHG-1234`.")
    seconds = IntegerVar(
        label="Seconds for each device",
        description="These devices are made up, and so is how long they take.",
        default=1,
        min_value=0,
        max_value=10,
        widget="range",
    )
    note = TextVar(required=False, description="For whoever approves it.")

    class Meta:
        name = "Hand over a site"
        approval_required = True
        concurrency_limit = 1
        concurrency_key = ("site",)
        fieldsets = (
            ("What", ("scope", "role", "site", "tolerated")),
            ("Change", ("ticket", "note", "password", "seconds")),
        )

    def validate(self, data: Mapping[str, Any]) -> None:
        if not self.planned(data["site"], data["role"]):
            raise InvalidData({"role": ["No such device is planned in this site."]})

    def plan(self, site: str, role: DeviceRole | None) -> list[str]:
        return [f"{device}: {device.status} -> Active" for device in self.planned(site, role)]

    def run(self, data: Mapping[str, Any]) -> None:
        devices = self.planned(data["site"], data["role"])
        with self.step("Choosing devices"):
            for device in devices:
                self.log_info(device, f"A {device.device_type} that is {device.status}")
        self.job_result.data["tolerated"] = data["tolerated"] or 0
        self.job_result.data["ticket"] = data["ticket"]
        told = {"password": data["password"], "seconds": data["seconds"]}
        asked = [{"device": device.pk, **told} for device in devices]
        self.map(ProbeDevice, asked, at_once=8)
        self.gather(self.hand_over)

    def hand_over(self, outcomes: Outcomes) -> dict[str, int]:
        devices = {device.pk: device for device in self.probed(outcomes)}
        good = [devices[each.data["device"]] for each in outcomes if each.ok]
        bad = [(devices[each.data["device"]], each.cause) for each in outcomes if not each.ok]
        with self.step("What is not in order"):
            for device, cause in bad:
                self.log_warning(device, cause)
        with self.step("Report"):
            self.tell(good, bad)
        if len(bad) > self.job_result.data["tolerated"]:
            raise JobFailed(f"{len(bad)} of {len(devices)} devices are not in order, so none was changed.")
        with self.step("Into service"):
            for number, device in enumerate(good, 1):
                self.progress(number, len(good), f"{device} goes into service")
                device.status = Status.objects.get(slug="active")
                device.validated_save()
                self.log_success(device, f"Is in service by {self.job_result.data['ticket']}")
        return {"in service": len(good), "left out": len(bad)}

    def tell(self, good: list[Device], bad: list[tuple[Device, str]]) -> None:
        """Put together the report, with a file, and with the runs before this one."""
        runs = [*self.store.get("runs", []), [len(good), len(bad)]][-LAST_RUNS:]
        self.store["runs"] = runs
        self.create_file("devices.csv", self.table(good, bad))
        self.report.append(
            Metric("In order", len(good), color="ok"),
            Metric("Not in order", len(bad), color="bad" if bad else None),
            Chart({"In order": len(good), "Not in order": len(bad)}, title="Devices that were probed"),
        )
        if len(runs) > 1:
            self.report.append(self.trend(runs))
        self.report.append(
            Section("Not in order"),
            Table([[ObjectLink(device), cause] for device, cause in bad], column_headers=["Device", "Why"]),
            File("devices.csv"),
        )

    def trend(self, runs: list[list[int]]) -> Chart:
        return Chart(
            {"In order": [good for good, _ in runs], "Not in order": [bad for _, bad in runs]},
            "lines",
            title="This run and those before it",
            labels=[str(number) for number in range(1, len(runs) + 1)],
        )

    def table(self, good: list[Device], bad: list[tuple[Device, str]]) -> str:
        table = io.StringIO()
        writer = csv.writer(table)
        writer.writerow(["device", "outcome"])
        writer.writerows([[str(device), "in order"] for device in good])
        writer.writerows([[str(device), cause] for device, cause in bad])
        return table.getvalue()

    def planned(self, site: str, role: Any) -> list[Device]:
        """Return the devices it is about. role: an object, or its key."""
        found = Device.objects.filter(site__slug=site, status__slug="planned")
        if role:
            found = found.filter(device_role_id=getattr(role, "pk", role))
        return list(found.order_by("name").select_related("status", "device_type"))

    def probed(self, outcomes: Outcomes) -> Iterator[Device]:
        for each in outcomes:
            yield Device.objects.get(pk=each.data["device"])


jobs = [HandOverSite, ProbeDevice]
