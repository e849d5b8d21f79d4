"""A job as it is written since Nautobot 2.0: inputs by name, a logger, a dry run of its own, and what is registered."""

from nautobot.apps.jobs import DryRunVar, Job, MultiObjectVar, register_jobs
from nautobot.dcim.models import Device
from nautobot.extras.models import Status

name = "From Nautobot"


class DecommissionDevices(Job):
    """Take single devices out of service."""

    class Meta:
        name = "Decommission devices"
        dryrun_default = True
        has_sensitive_variables = False

    devices = MultiObjectVar(model=Device)
    dryrun = DryRunVar()

    def run(self, devices, dryrun):
        retired = Status.objects.get(slug="decommissioning")
        changed = 0
        for device in devices:
            if device.status == retired:
                self.logger.info("Is so already", extra={"object": device})
                continue
            changed += 1
            if not dryrun:
                device.status = retired
                device.validated_save()
            self.logger.success("Would be" if dryrun else "Is out of service", extra={"object": device})
        if not changed:
            self.fail("There was nothing to do.")
        return {"changed": changed}


register_jobs(DecommissionDevices)
