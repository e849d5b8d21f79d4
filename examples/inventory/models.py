"""What a network consists of: sites, and the devices in them, and what these are plugged into."""

import re
import unicodedata

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from store.objects import ObjectModel, Options, ValidationError


def slugify(text: str) -> str:
    """Return the text as it can stand in an address: "Zürich HQ" -> "zurich-hq"."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")


#: How the states of sites and devices look; all others are neither good nor bad.
STATE_LOOKS = {"active": "ok", "offline": "bad", "decommissioning": "warn"}


class Status(ObjectModel):
    """Where in its life a site or a device is."""

    __tablename__ = "inventory_statuses"
    options = Options(label_plural="statuses", list_columns=("slug",), search_fields=("name", "slug"))

    name: Mapped[str] = mapped_column(String(50), unique=True)
    slug: Mapped[str] = mapped_column(String(50), unique=True)


class Manufacturer(ObjectModel):
    __tablename__ = "inventory_manufacturers"
    options = Options(list_columns=("slug",), search_fields=("name", "slug"))

    name: Mapped[str] = mapped_column(String(100), unique=True)
    slug: Mapped[str] = mapped_column(String(100), unique=True)


class DeviceType(ObjectModel):
    """A model that a manufacturer sells."""

    __tablename__ = "inventory_device_types"
    __table_args__ = (
        UniqueConstraint("manufacturer_id", "model"),
        UniqueConstraint("manufacturer_id", "slug"),
    )
    options = Options(
        label="device type",
        list_columns=("manufacturer", "part_number", "u_height"),
        search_fields=("model", "part_number", "manufacturer__name"),
        ordering=("manufacturer__name", "model"),
        loads=("manufacturer",),
    )

    manufacturer_id: Mapped[int] = mapped_column(ForeignKey("inventory_manufacturers.id"))
    model: Mapped[str] = mapped_column(String(100))
    slug: Mapped[str] = mapped_column(String(100), index=True)
    part_number: Mapped[str] = mapped_column(String(50), default="")
    #: Rack units.
    u_height: Mapped[int] = mapped_column(default=1)

    manufacturer: Mapped[Manufacturer] = relationship()

    def __str__(self) -> str:
        return self.model

    @property
    def display(self) -> str:
        return f"{self.manufacturer.name} {self.model}"


class DeviceRole(ObjectModel):
    """What a device is there for."""

    __tablename__ = "inventory_device_roles"
    options = Options(label="device role", list_columns=("slug",), search_fields=("name", "slug"))

    name: Mapped[str] = mapped_column(String(100), unique=True)
    slug: Mapped[str] = mapped_column(String(100), unique=True)


class Site(ObjectModel):
    __tablename__ = "inventory_sites"
    options = Options(
        list_columns=("status", "facility", "time_zone"),
        facts=("status", "slug", "facility", "physical_address", "time_zone"),
        state="status",
        state_looks=STATE_LOOKS,
        summary=("facility", "physical_address"),
        search_fields=("name", "slug", "facility"),
    )

    name: Mapped[str] = mapped_column(String(100), unique=True)
    slug: Mapped[str] = mapped_column(String(100), unique=True)
    status_id: Mapped[int] = mapped_column(ForeignKey("inventory_statuses.id"), index=True)
    #: The code people use for it: "ZRH1".
    facility: Mapped[str] = mapped_column(String(50), default="")
    physical_address: Mapped[str] = mapped_column(String(200), default="")
    time_zone: Mapped[str] = mapped_column(String(50), default="")

    status: Mapped[Status] = relationship()

    def clean(self) -> None:
        if self.slug and self.slug != slugify(self.slug):
            raise ValidationError(
                {"slug": [f"Slug may hold letters, digits and hyphens: {slugify(self.slug)}."]}
            )


class Device(ObjectModel):
    __tablename__ = "inventory_devices"
    __table_args__ = (
        UniqueConstraint("site_id", "name"),
        Index("ix_inventory_devices_listing", "name", "id"),
    )
    options = Options(
        list_columns=("status", "site", "device_role", "device_type__manufacturer", "device_type"),
        facts=(
            "status",
            "site",
            "device_role",
            "device_type__manufacturer",
            "device_type",
            "serial",
            "asset_tag",
        ),
        state="status",
        state_looks=STATE_LOOKS,
        summary=("device_type", "device_role", "site"),
        search_fields=("name", "serial", "site__name", "device_type__model"),
        filters={
            "manufacturer": "device_type__manufacturer",
            "role": "device_role",
            "model": "device_type__slug",
        },
    )

    name: Mapped[str] = mapped_column(String(64))
    site_id: Mapped[int] = mapped_column(ForeignKey("inventory_sites.id"))
    device_type_id: Mapped[int] = mapped_column(ForeignKey("inventory_device_types.id"), index=True)
    device_role_id: Mapped[int] = mapped_column(ForeignKey("inventory_device_roles.id"), index=True)
    status_id: Mapped[int] = mapped_column(ForeignKey("inventory_statuses.id"), index=True)
    serial: Mapped[str] = mapped_column(String(50), default="")
    asset_tag: Mapped[str | None] = mapped_column(String(50), unique=True)

    site: Mapped[Site] = relationship()
    device_type: Mapped[DeviceType] = relationship()
    device_role: Mapped[DeviceRole] = relationship()
    status: Mapped[Status] = relationship()


class Port(ObjectModel):
    """What console and power ports have in common."""

    __abstract__ = True

    name: Mapped[str] = mapped_column(String(64))
    device_id: Mapped[int] = mapped_column(ForeignKey("inventory_devices.id", ondelete="CASCADE"))
    connected_endpoint_id: Mapped[int | None] = mapped_column(
        ForeignKey("inventory_devices.id", ondelete="SET NULL"), index=True
    )
    #: True: the cable is there; False: it is planned; None: there is none.
    connection_status: Mapped[bool | None]


class ConsolePort(Port):
    __tablename__ = "inventory_console_ports"
    __table_args__ = (UniqueConstraint("device_id", "name"),)
    options = Options(
        label="console port",
        list_columns=("device", "connected_endpoint", "connection_status"),
        search_fields=("name", "device__name"),
        ordering=("device__name", "name"),
        filters={"site": "device__site"},
    )

    device: Mapped[Device] = relationship(foreign_keys="ConsolePort.device_id")
    #: The console server at the other end.
    connected_endpoint: Mapped[Device | None] = relationship(foreign_keys="ConsolePort.connected_endpoint_id")

    @property
    def display(self) -> str:
        return f"{self.device} {self.name}"


class PowerPort(Port):
    __tablename__ = "inventory_power_ports"
    __table_args__ = (UniqueConstraint("device_id", "name"),)
    options = Options(
        label="power port",
        list_columns=("device", "connected_endpoint", "connection_status"),
        search_fields=("name", "device__name"),
        ordering=("device__name", "name"),
        filters={"site": "device__site"},
    )

    device: Mapped[Device] = relationship(foreign_keys="PowerPort.device_id")
    #: The power distribution unit at the other end.
    connected_endpoint: Mapped[Device | None] = relationship(foreign_keys="PowerPort.connected_endpoint_id")

    @property
    def display(self) -> str:
        return f"{self.device} {self.name}"
