"""Jobs that make new things."""

import csv
import io
from typing import Any

from jobs import IntegerVar, Job, ObjectVar, StringVar

from ..models import Device, DeviceRole, DeviceType, Manufacturer, Site, Status, slugify

name = "Provisioning"


class NewBranch(Job):
    """
    Plan a **new branch**: one site, and the access switches in it.

    - The site and its switches get the status *Planned*.
    - The switches are called `sw-<site>-acc-01`, `sw-<site>-acc-02` and so on.
    - The result lists them as CSV, to hand on to whoever orders them.

    Choose *Dry run* to see what would be made without making it.
    """

    class Meta:
        name = "New Branch"
        field_order = ["site_name", "switch_count", "manufacturer", "switch_model"]

    site_name = StringVar(
        description="As people call it: `Basel Dreispitz`. No other site may have this name.",
        # What is left of it goes into the names of the switches.
        regex=r"[A-Za-z0-9]",
        min_length=2,
        max_length=40,
    )
    switch_count = IntegerVar(
        label="Access switches",
        description="How many are needed, 1 to 48.",
        min_value=1,
        max_value=48,
        default=2,
    )
    manufacturer = ObjectVar(
        model=Manufacturer, required=False, description="Narrows the choice of models below."
    )
    switch_model = ObjectVar(
        model=DeviceType,
        description="The model of all the switches.",
        query_params={"manufacturer_id": "$manufacturer"},
    )

    def run(self, data: dict[str, Any], commit: bool) -> str | None:
        site = Site(
            name=data["site_name"],
            slug=slugify(data["site_name"]),
            status=Status.objects.get(slug="planned"),
        )
        existing = Site.objects.filter(slug=site.slug).first()
        if existing is not None:
            self.log_failure(existing, "This site exists already; nothing was made. Choose another name.")
            return None
        site.validated_save()
        self.log_success(site, "Made the site")
        self.make_switches(site, data["switch_count"], data["switch_model"])
        return self.table_of(site)

    def make_switches(self, site: Site, count: int, model: DeviceType) -> None:
        role = DeviceRole.objects.get(slug="access-switch")
        for number in range(1, count + 1):
            switch = Device(
                name=f"sw-{site.slug}-acc-{number:02}",
                site=site,
                device_type=model,
                device_role=role,
                status=site.status,
            )
            switch.validated_save()
            self.log_success(switch, f"Made switch {number} of {count}")

    def table_of(self, site: Site) -> str:
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(["name", "make", "model"])
        devices = Device.objects.filter(site=site)
        writer.writerows(devices.values_list("name", "device_type__manufacturer__name", "device_type__model"))
        return table.getvalue()


jobs = [NewBranch]
