"""Jobs that take things out of service."""

from jobs import Job, ObjectVar

from ..models import Device, Site, Status

name = "Provisioning"


class RetireSite(Job):
    """
    Take a **site** out of service: it and every device in it that is not so already become *Decommissioning*.

    Somebody else has to approve it. Whoever does sees what would change, device by device.
    """

    class Meta:
        name = "Retire site"
        approval_required = True

    site = ObjectVar(model=Site, description="Which is given up.")

    def plan(self, site: Site) -> list[str]:
        return [f"{thing}: {thing.status} -> Decommissioning" for thing in self.remaining(site)]

    def run(self, site: Site) -> None:
        retired = Status.objects.get(slug="decommissioning")
        for thing in self.remaining(site):
            thing.status = retired
            thing.validated_save()
            self.logger.success("Taken out of service", extra={"object": thing})

    def remaining(self, site: Site) -> list[Site | Device]:
        devices = Device.objects.filter(site=site).order_by("name").select_related("status")
        return [thing for thing in (site, *devices) if thing.status.slug != "decommissioning"]


jobs = [RetireSite]
