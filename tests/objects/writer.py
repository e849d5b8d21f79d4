"""One run in a process of its own: makes a site with twenty switches, and commits when it is told to."""

import sys

from examples.inventory.models import Device, DeviceRole, DeviceType, Site, Status
from store.objects import Data, ValidationError


def main(url: str, name: str) -> None:
    data = Data(url)
    try:
        make_site(data, name)
    finally:
        data.dispose()


def make_site(data: Data, name: str) -> None:
    with data.run_session(wait_seconds=60, on_wait=lambda: say("waits")) as session:
        status = Status.objects.get(slug="planned")
        model, role = DeviceType.objects.get(slug="c9300"), DeviceRole.objects.get(slug="access-switch")
        site = Site(name=name, slug=name, status=status)
        try:
            site.validated_save()
        except ValidationError as error:
            return say(str(error))
        for number in range(20):
            device = Device(
                name=f"sw-{name}-{number}", site=site, device_type=model, device_role=role, status=status
            )
            device.validated_save()
        say("wrote")
        sys.stdin.readline()
        session.commit()


def say(word: str) -> None:
    print(word, flush=True)


main(*sys.argv[1:])
