"""A network to try things on: 30 sites and 1,500 devices, the same on every machine.

Most of it is in order. A few devices are not, so that the report finds something.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from store.objects import Data, ObjectModel

from .models import (
    ConsolePort,
    Device,
    DeviceRole,
    DeviceType,
    Manufacturer,
    PowerPort,
    Site,
    Status,
    slugify,
)

T = TypeVar("T")

SEED = 20_250

STATUSES = ("Active", "Planned", "Staged", "Offline", "Decommissioning")

ROLES = (
    "Router",
    "Firewall",
    "Distribution Switch",
    "Access Switch",
    "Access Point",
    "Console Server",
    "Power Distribution",
)

#: {manufacturer: [(model, part number, rack units, role)]}; the first role is what the demo uses it for.
TYPES = {
    "Cisco": [
        ("Catalyst 9200L-24P-4G", "C9200L-24P-4G", 1, "Access Switch"),
        ("Catalyst 9200L-48P-4G", "C9200L-48P-4G", 1, "Access Switch"),
        ("Catalyst 9300-48U", "C9300-48U", 1, "Access Switch"),
        ("Catalyst 9500-24Y4C", "C9500-24Y4C", 1, "Distribution Switch"),
        ("Catalyst 8300-1N1S", "C8300-1N1S-6T", 1, "Router"),
        ("Catalyst 9130AXI", "C9130AXI-E", 0, "Access Point"),
    ],
    "Juniper": [
        ("EX2300-48P", "EX2300-48P", 1, "Access Switch"),
        ("EX3400-48P", "EX3400-48P", 1, "Access Switch"),
        ("EX4650-48Y", "EX4650-48Y-AFO", 1, "Distribution Switch"),
        ("MX204", "MX204-IR", 1, "Router"),
        ("SRX345", "SRX345-SYS-JB-2AC", 1, "Firewall"),
        ("AP45", "AP45-WW", 0, "Access Point"),
    ],
    "Aruba": [
        ("CX 6200F 48G", "JL728A", 1, "Access Switch"),
        ("CX 6300M 48G", "JL661A", 1, "Access Switch"),
        ("CX 8325-48Y8C", "JL624A", 1, "Distribution Switch"),
        ("AP-535", "JZ336A", 0, "Access Point"),
    ],
    "Arista": [
        ("720XP-48ZC2", "CCS-720XP-48ZC2", 1, "Access Switch"),
        ("7050SX3-48YC8", "DCS-7050SX3-48YC8", 1, "Distribution Switch"),
    ],
    "Fortinet": [
        ("FortiGate 100F", "FG-100F", 1, "Firewall"),
        ("FortiGate 600F", "FG-600F", 1, "Firewall"),
    ],
    "Opengear": [
        ("OM1208-8E", "OM1208-8E", 1, "Console Server"),
        ("OM2248", "OM2248-10G", 1, "Console Server"),
    ],
    "APC": [
        ("AP7921B", "AP7921B", 1, "Power Distribution"),
        ("AP8853", "AP8853", 0, "Power Distribution"),
    ],
}

#: How many of each role stand in a site of this size: 110, 70 and 30 devices.
SIZES = {
    "headquarters": (2, 2, 4, 38, 54, 2, 8),
    "campus": (2, 2, 2, 25, 32, 1, 6),
    "branch": (1, 1, 0, 10, 15, 1, 2),
}

#: Name, code, street, time zone, size.
SITES = (
    ("Zurich HQ", "zrh", "Hardstrasse 201, Zurich", "Europe/Zurich", "headquarters"),
    ("Amsterdam HQ", "ams", "Overhoeksplein 4, Amsterdam", "Europe/Amsterdam", "headquarters"),
    ("Toronto HQ", "yto", "Front Street West 90, Toronto", "America/Toronto", "headquarters"),
    ("Basel", "bsl", "Dornacherstrasse 210, Basel", "Europe/Zurich", "campus"),
    ("Berlin", "ber", "Stralauer Allee 6, Berlin", "Europe/Berlin", "campus"),
    ("Copenhagen", "cph", "Kalvebod Brygge 31, Copenhagen", "Europe/Copenhagen", "campus"),
    ("Lyon", "lys", "Rue de la Villette 55, Lyon", "Europe/Paris", "campus"),
    ("Madrid", "mad", "Calle de Albarracín 25, Madrid", "Europe/Madrid", "campus"),
    ("Manchester", "man", "Deansgate 120, Manchester", "Europe/London", "campus"),
    ("Milan", "mil", "Via Tortona 37, Milan", "Europe/Rome", "campus"),
    ("Montreal", "ymq", "Rue Saint-Jacques 360, Montreal", "America/Toronto", "campus"),
    ("Vienna", "vie", "Praterstrasse 66, Vienna", "Europe/Vienna", "campus"),
    ("Antwerp", "anr", "Lange Nieuwstraat 21, Antwerp", "Europe/Brussels", "branch"),
    ("Bern", "brn", "Effingerstrasse 14, Bern", "Europe/Zurich", "branch"),
    ("Bilbao", "bio", "Gran Vía 45, Bilbao", "Europe/Madrid", "branch"),
    ("Bologna", "blq", "Via Indipendenza 8, Bologna", "Europe/Rome", "branch"),
    ("Cologne", "cgn", "Aachener Strasse 382, Cologne", "Europe/Berlin", "branch"),
    ("Dublin", "dub", "Pearse Street 71, Dublin", "Europe/Dublin", "branch"),
    ("Geneva", "gva", "Rue de Lausanne 80, Geneva", "Europe/Zurich", "branch"),
    ("Ghent", "gne", "Kouter 17, Ghent", "Europe/Brussels", "branch"),
    ("Graz", "grz", "Annenstrasse 23, Graz", "Europe/Vienna", "branch"),
    ("Halifax", "yhz", "Barrington Street 1505, Halifax", "America/Halifax", "branch"),
    ("Leeds", "lba", "Wellington Street 62, Leeds", "Europe/London", "branch"),
    ("Lugano", "lug", "Via Pretorio 9, Lugano", "Europe/Zurich", "branch"),
    ("Malmö", "mmx", "Stora Varvsgatan 11, Malmö", "Europe/Stockholm", "branch"),
    ("Nantes", "nte", "Quai de la Fosse 38, Nantes", "Europe/Paris", "branch"),
    ("Ottawa", "yow", "Sparks Street 150, Ottawa", "America/Toronto", "branch"),
    ("Porto", "opo", "Rua do Heroísmo 112, Porto", "Europe/Lisbon", "branch"),
    ("Rotterdam", "rtm", "Wijnhaven 60, Rotterdam", "Europe/Amsterdam", "branch"),
    ("St. Gallen", "sgl", "Vadianstrasse 27, St. Gallen", "Europe/Zurich", "branch"),
)

#: Sites that are not in operation, with the status of all that is in them.
NOT_ACTIVE = {"Ghent": "planned", "Leeds": "decommissioning"}

#: How the devices of a role are called: `sw-zrh-acc-07`.
NAMES = {
    "Router": "rtr-{code}-{number:02}",
    "Firewall": "fw-{code}-{number:02}",
    "Distribution Switch": "sw-{code}-dist-{number:02}",
    "Access Switch": "sw-{code}-acc-{number:02}",
    "Access Point": "ap-{code}-{number:03}",
    "Console Server": "con-{code}-{number:02}",
    "Power Distribution": "pdu-{code}-{number:02}",
}

#: Roles whose devices have a console port, and those with two power supplies; access points are
#: powered by their switch.
WITH_CONSOLE = ("Router", "Firewall", "Distribution Switch", "Access Switch")
WITH_SUPPLIES = (*WITH_CONSOLE, "Console Server")

#: Of a thousand connections, how many are missing, and how many are only planned.
MISSING, PLANNED = 12, 14

#: Of a thousand devices in a site in operation, how many are not themselves.
EXCEPTIONS = (("planned", 12), ("staged", 10), ("offline", 14))


def load_demo(data: Data) -> bool:
    """Fill an empty inventory, in one transaction; tell whether it was empty."""
    with Session(data.engine) as session, session.begin():
        if session.scalars(select(Status.id).limit(1)).first() is not None:
            return False
        _Demo(session).load()
    return True


@dataclass(frozen=True, slots=True)
class _Planned:
    """One device before it has a row."""

    name: str
    site: str
    role: str
    status: str


class _Demo:
    def __init__(self, session: Session) -> None:
        self.session = session
        self.random = random.Random(SEED)

    def load(self) -> None:
        self.add(Status, [_named(name) for name in STATUSES])
        self.add(Manufacturer, [_named(name) for name in TYPES])
        self.add(DeviceRole, [_named(name) for name in ROLES])
        self.statuses = self.keys(Status.slug)
        self.add_types()
        self.add_sites()
        devices = [device for name, code, *_, size in SITES for device in self.devices_of(name, code, size)]
        self.add_devices(devices)
        self.add_ports(devices)

    def add_types(self) -> None:
        makers = self.keys(Manufacturer.name)
        self.add(
            DeviceType,
            [
                {
                    "manufacturer_id": makers[maker],
                    "model": model,
                    "slug": slugify(model),
                    "part_number": part_number,
                    "u_height": units,
                }
                for maker, types in TYPES.items()
                for model, part_number, units, _ in types
            ],
        )

    def add_sites(self) -> None:
        self.add(
            Site,
            [
                {
                    **_named(name),
                    "status_id": self.statuses[NOT_ACTIVE.get(name, "active")],
                    "facility": f"{code.upper()}1",
                    "physical_address": address,
                    "time_zone": time_zone,
                }
                for name, code, address, time_zone, _ in SITES
            ],
        )

    def devices_of(self, site: str, code: str, size: str) -> Iterator[_Planned]:
        for role, count in zip(ROLES, SIZES[size], strict=True):
            for number in range(1, count + 1):
                name = NAMES[role].format(code=code, number=number)
                yield _Planned(name, site, role, NOT_ACTIVE.get(site) or self.some_status(role))

    def some_status(self, role: str) -> str:
        """Return the status of a device in a site in operation; what others are plugged into works."""
        drawn = self.random.random() * 1000
        for status, share in EXCEPTIONS if role in WITH_CONSOLE else ():
            drawn -= share
            if drawn < 0:
                return status
        return "active"

    def add_devices(self, devices: Sequence[_Planned]) -> None:
        sites, roles, types = self.keys(Site.name), self.keys(DeviceRole.name), self.keys(DeviceType.model)
        models = {(site, role): types[self.pick(_models_for(role))] for site, *_ in SITES for role in ROLES}
        self.add(
            Device,
            [
                {
                    "name": device.name,
                    "site_id": sites[device.site],
                    # A site buys one model for each purpose.
                    "device_type_id": models[device.site, device.role],
                    "device_role_id": roles[device.role],
                    "status_id": self.statuses[device.status],
                    "serial": self.serial(),
                    "asset_tag": f"A{number:05}",
                }
                for number, device in enumerate(devices, start=10_001)
            ],
        )

    def add_ports(self, devices: Sequence[_Planned]) -> None:
        keys = self.keys(Device.name)
        there = {
            (device.site, device.role): [keys[other.name] for other in devices if _same_kind(other, device)]
            for device in devices
            if device.role in ("Console Server", "Power Distribution")
        }
        consoles: list[dict[str, Any]] = []
        supplies: list[dict[str, Any]] = []
        for number, device in enumerate(devices):
            key = keys[device.name]
            if device.role in WITH_CONSOLE:
                servers = there[device.site, "Console Server"]
                consoles.append(self.port(key, "con0", servers[number % len(servers)]))
            if device.role in WITH_SUPPLIES:
                # The two supplies of a device hang on two distribution units.
                units = there[device.site, "Power Distribution"]
                first = number % (len(units) // 2) * 2
                supplies.append(self.port(key, "PSU1", units[first]))
                supplies.append(self.port(key, "PSU2", units[first + 1]))
        self.add(ConsolePort, consoles)
        self.add(PowerPort, supplies)

    def port(self, device: int, name: str, endpoint: int) -> dict[str, Any]:
        drawn = self.random.random() * 1000
        missing = drawn < MISSING
        return {
            "device_id": device,
            "name": name,
            "connected_endpoint_id": None if missing else endpoint,
            "connection_status": None if missing else drawn >= MISSING + PLANNED,
        }

    def add(self, model: type[ObjectModel], rows: list[dict[str, Any]]) -> None:
        self.session.execute(insert(model), rows)

    def keys(self, column: Any) -> dict[str, int]:
        """Return {value of this column: key} of all rows."""
        rows = self.session.execute(select(column, column.class_.id))
        return {row[0]: row[1] for row in rows}

    def serial(self) -> str:
        letters = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
        return "F" + "".join(self.pick(letters) for _ in range(10))

    def pick(self, choices: Sequence[T]) -> T:
        # Only `random()` is promised to give the same numbers in every version of Python.
        return choices[int(self.random.random() * len(choices))]


def _named(name: str) -> dict[str, str]:
    return {"name": name, "slug": slugify(name)}


def _models_for(role: str) -> list[str]:
    return [model for types in TYPES.values() for model, _, _, purpose in types if purpose == role]


def _same_kind(one: _Planned, other: _Planned) -> bool:
    return (one.site, one.role) == (other.site, other.role)
