"""Jobs as they are written for Nautobot 1.x: `run(data, commit)`, `test_*`, and messages about objects."""

from django.utils.text import slugify
from nautobot.dcim.models import Device, Site
from nautobot.extras.jobs import BooleanVar, Job, MultiObjectVar, ObjectVar, StringVar

name = "From Nautobot"


class RenameDevices(Job):
    class Meta:
        name = "Rename devices"
        description = "Put another word before the names of **devices**, and keep what stands behind it."
        field_order = ["site", "devices", "prefix"]
        commit_default = False
        has_sensitive_variables = False

    site = ObjectVar(model=Site, required=False, description="Narrows the devices below.")
    devices = MultiObjectVar(model=Device, query_params={"site_id": "$site"})
    prefix = StringVar(regex=r"^[A-Za-z0-9 ]+$", max_length=20, description="Such as `core`.")
    keep_order = BooleanVar(label="By name", default=True, description="In the order of their names")

    def run(self, data, commit):
        devices = data["devices"].order_by("name") if data["keep_order"] else data["devices"]
        for device in devices:
            rest = device.name.partition("-")[2] or device.name
            new_name = f"{slugify(data['prefix'])}-{rest}"
            if Device.objects.filter(site=device.site, name=new_name).exists():
                self.log_failure(obj=device, message=f"There is a {new_name} already")
                continue
            old_name, device.name = device.name, new_name
            device.validated_save()
            self.log_success(obj=device, message=f"Was {old_name}")
        if not commit:
            self.log_info(message="A dry run: all names are as they were.")


class SerialNumbers(Job):
    """Every active device should have a serial number of its own."""

    class Meta:
        name = "Serial numbers"
        read_only = True
        has_sensitive_variables = False

    def test_each_has_one(self):
        without = Device.objects.filter(status__slug="active", serial="")
        for device in without:
            self.log_warning(obj=device, message="It has no serial number")
        self.log_success(obj=None, message=f"{without.count()} of the active devices have none")

    def test_no_two_are_the_same(self):
        seen = {}
        for device in Device.objects.exclude(serial="").order_by("name"):
            other = seen.setdefault(device.serial, device)
            if other is not device:
                self.log_failure(obj=device, message=f"{other} has {device.serial}, too")


jobs = [RenameDevices, SerialNumbers]
