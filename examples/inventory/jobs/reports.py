"""Jobs that look at the network and change nothing."""

from itertools import groupby

from jobs import Job

from ..models import ConsolePort, PowerPort

name = "Reports"

#: A device that loses one supply, or the feed behind it, must go on running.
NEEDED_SUPPLIES = 2


class DeviceConnectionsReport(Job):
    """
    Check how every **active** device is plugged in.

    | what | failure | warning |
    |---|---|---|
    | console ports | no connection | only planned |
    | power supplies | fewer than two connected | only planned |

    Devices in order get no line of their own; each check ends with how many they are.
    """

    class Meta:
        name = "Device connections report"
        read_only = True

    def test_console_connections(self) -> None:
        ports = ConsolePort.objects.filter(device__status__slug="active").select_related("device")
        good = 0
        for port in ports:
            if port.connected_endpoint_id is None:
                self.log_failure(port.device, f"Console port {port.name} is not connected")
            elif not port.connection_status:
                self.log_warning(port.device, f"The connection of console port {port.name} is only planned")
            else:
                good += 1
        self.conclude(good, len(ports), "console ports are connected")

    def test_power_connections(self) -> None:
        ports = PowerPort.objects.filter(device__status__slug="active").select_related("device")
        good = total = 0
        for device, of_device in groupby(ports.order_by("device__name", "name"), lambda port: port.device):
            connected = [port for port in of_device if port.connected_endpoint_id is not None]
            planned = [port.name for port in connected if not port.connection_status]
            total += 1
            if len(connected) < NEEDED_SUPPLIES:
                self.log_failure(
                    device, f"{len(connected)} of {NEEDED_SUPPLIES} needed power supplies are connected"
                )
            elif planned:
                self.log_warning(device, f"The connection of {' and '.join(planned)} is only planned")
            else:
                good += 1
        self.conclude(good, total, "devices have their power supplies connected")

    def conclude(self, good: int, total: int, what: str) -> None:
        if total == 0:
            self.log_info("There is nothing to check: no active device has such a port.")
        elif good:
            self.log_success(f"{good} of {total} {what}")


jobs = [DeviceConnectionsReport]
