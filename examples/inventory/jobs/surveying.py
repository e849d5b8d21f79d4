"""A look at every site at once: a run of its own for each, on all workers."""

from collections.abc import Mapping

from jobs import Job, ObjectVar
from jobs.fan_out import Outcomes
from jobs.report import Metric, Table

from ..models import Device, PowerPort, Site

name = "Surveys"


class SurveySite(Job):
    """Count the devices of one site, and those with power supplies of which none is connected."""

    site = ObjectVar(model=Site)

    class Meta:
        name = "Survey site"
        read_only = True
        idempotent = True

    def run(self, site: Site) -> Mapping[str, int]:
        count = Device.objects.filter(site=site).count()
        ports = list(PowerPort.objects.filter(device__site=site).select_related("device"))
        fed = {port.device_id for port in ports if port.connected_endpoint_id is not None}
        dark = {port.device_id: port.device for port in ports if port.device_id not in fed}
        for device in dark.values():
            self.log_warning(device, "No power supply of it is connected")
        self.log_success(site, f"Looked at {count} devices")
        return {"devices": count, "without power": len(dark)}


class SurveySites(Job):
    """Survey every site, ten at a time, and put together what was found."""

    class Meta:
        name = "Survey all sites"
        read_only = True

    def run(self) -> None:
        sites = list(Site.objects.order_by("name"))
        self.job_result.data["sites"] = {str(site.pk): site.name for site in sites}
        self.map(SurveySite, [{"site": site.pk} for site in sites], at_once=10)
        self.gather(self.put_together)

    def put_together(self, outcomes: Outcomes) -> int:
        names = self.job_result.data.pop("sites")
        rows = [[names[str(each.data["site"])], *each.return_value.values()] for each in outcomes if each.ok]
        for each in outcomes:
            if not each.ok:
                self.log_failure(message=f"{names[str(each.data['site'])]}: {each.cause}")
        self.report.append(
            Metric("Sites", len(rows), note=f"of {len(outcomes)}"),
            Metric("Devices without power", sum(row[2] for row in rows)),
            Table(rows, column_headers=["Site", "Devices", "Without power"]),
        )
        return sum(row[1] for row in rows)
