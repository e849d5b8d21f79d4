"""Jobs that put numbers on things."""

from collections.abc import Iterator
from functools import partial

from jobs import ObjectVar

from ..models import Device, Site
from ..plans import Plan, Step
from ..variables import AssetTag, AssetTagVar

name = "Provisioning"


class TagDevices(Plan):
    """
    Give asset tags to the devices of a site that have none, one after the other.

    A **dry run** lists which device would get which tag.
    """

    class Meta:
        name = "Tag devices"
        commit_default = False

    site = ObjectVar(model=Site, description="Where the devices stand.")
    first_tag = AssetTagVar(description="What the first device gets, such as `A01501`; the others follow.")

    def plan(self, site: Site, first_tag: AssetTag) -> Iterator[Step]:
        untagged = Device.objects.filter(site=site, asset_tag=None).order_by("name")
        for place, device in enumerate(untagged):
            tag = str(first_tag.after(place))
            yield Step(device, f"tag it as {tag}", partial(self.tag, device, tag))

    def tag(self, device: Device, tag: str) -> None:
        device.asset_tag = tag
        device.validated_save()


jobs = [TagDevices]
