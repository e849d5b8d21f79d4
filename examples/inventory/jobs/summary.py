"""What there is at each site, as a report."""

import json
from collections import Counter

from jobs import Job
from jobs.report import Chart, Code, Markdown, Metric, ObjectLink, Report, Section, Subsection, Table

from ..models import Device, Site

name = "Reports"


class SiteSummary(Job):
    """Count devices by site, role and status. The numbers are in the report; nothing is changed."""

    class Meta:
        name = "Site summary"
        read_only = True

    def run(self) -> Report:
        sites = list(Site.objects.order_by("name").select_related("status"))
        devices = list(Device.objects.select_related("site", "status", "device_role"))
        by_site = Counter(device.site_id for device in devices)
        active = Counter(device.site_id for device in devices if device.status.slug == "active")
        roles = Counter(device.device_role.name for device in devices)
        self.log_success(f"Counted {len(devices)} devices at {len(sites)} sites.")
        return Report(
            Metric("Sites", len(sites)),
            Metric("Devices", len(devices)),
            Metric("Active", sum(active.values()), note=f"of {len(devices)}", color="ok"),
            Metric("Sites without a device", sum(1 for site in sites if not by_site[site.pk])),
            Chart({site.name: by_site[site.pk] for site in sites}, title="Devices by site"),
            Section("Sites"),
            Table(
                [
                    [ObjectLink(site), site.facility, site.status.name, by_site[site.pk], active[site.pk]]
                    for site in sites
                ],
                column_headers=["Site", "Facility", "Status", "Devices", "Active"],
                column_footers=["All", "", "", len(devices), sum(active.values())],
            ),
            Subsection("By role, for programs"),
            Code(json.dumps(dict(roles.most_common()), indent=2), "json"),
            Markdown("*Active* are devices with the status **Active**, whatever the status of their site."),
            title="Sites and their devices",
            filename="site-summary",
        )


jobs = [SiteSummary]
