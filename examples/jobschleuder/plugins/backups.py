"""What comes before and after backups."""

from loguru import logger
from veritas.plugin import jobschleuder


@jobschleuder("devices_of_site")
def expand(*args, **kwargs):
    """Return a backup for each device of a site."""
    excluded = kwargs.get("exclude", {}).get("devices", [])
    devices = kwargs["sot"].devices(site=kwargs["site"])
    return [
        {"cmd": "simple_config_backup", "args": {"device": device}}
        for device in devices
        if device["name"] not in excluded
    ]


@jobschleuder("summarize_backups")
def summarize(*args, **kwargs):
    """Say which devices have no backup."""
    missing = [each.data["arguments"]["device"]["name"] for each in kwargs["outcomes"] if not each.ok]
    if missing:
        logger.error("No backup of {}", ", ".join(missing))
    else:
        logger.success("All devices of {} are saved", kwargs["arguments"]["site"])
