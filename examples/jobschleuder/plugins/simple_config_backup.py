import yaml
from loguru import logger
from veritas.plugin import jobschleuder


@jobschleuder("simple_config_backup")
def backup(*args, **kwargs):
    """Read the configuration of a device. This one makes one up."""
    device = kwargs["device"]
    logger.bind(extra=device["name"]).info("{} connects", kwargs["username"])
    if device.get("silent"):
        raise TimeoutError(f"{device['name']} does not answer")
    lines = [kwargs["banner"], f"hostname {device['name']}", f"version {device['version']}"]
    logger.bind(extra=device["name"]).success("{} lines are saved", len(lines))
    return "\n".join(lines)


@jobschleuder("simple_config_backup:on_startup")
def settings():
    """Return what goes to every run, read once in each process."""
    with open("./conf/simple_config_backup.yaml") as file:
        return yaml.safe_load(file)
