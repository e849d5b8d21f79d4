"""Jobs that are functions."""

from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

from examples.inventory.models import Manufacturer
from jobs import SecretVar, StringVar, job

name = "Functions"


class Tone(Enum):
    WARM = "warm"
    VERY_FORMAL = "formal"


@job
def ping_host(host: IPv4Address, count: int = 3, note: str | None = None):
    """Ask a host whether it is there."""
    print(f"asking {host!r}")
    return {"host": host.packed.hex(), "count": count, "note": note}


@job(name="Everything", read_only=True, time_limit=30)
def takes_all_kinds(
    job,
    ratio: float,
    price: Decimal,
    tone: Tone,
    speed: Literal[10, 100],
    tags: list[Literal["a", "b"]],
    hosts: list[IPv4Address],
    network: IPv4Network,
    settings: dict,
    password: Annotated[str, SecretVar()],
    names: list[str] = [],  # noqa: B006
    site: Annotated[str, StringVar(regex="^[a-z]+$"), "Where it stands"] = "bern",
    commit: bool = False,
):
    job.log_info(f"commit {commit}")
    return repr([ratio, price, tone, speed, tags, hosts, network, settings, len(password), names, site])


@job
def reads_two_files(content: bytes, file: BinaryIO | None = None):
    return [content.decode(), file and file.read().decode()]


@job
def counts_makers(makers: list[Manufacturer], first: Manufacturer | None = None):
    return [[maker.name for maker in makers], first and first.name]


@job
def asks_for_a_path(where: Path):
    """Cannot be a job; the others of this file can."""
