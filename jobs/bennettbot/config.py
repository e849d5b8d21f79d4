"""What `raw_config` says, checked and complete. It is read as data: nothing of it is run, and it is never changed."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from string import Formatter
from typing import Any
from urllib.parse import urlsplit

from jobs.bennettbot.faults import ConfigError, Place, check_keys, check_kind
from jobs.errors import BadJob
from jobs.slack_commands import (
    ACTIONS,
    FORMATS,
    SCHEDULE,
    build_regex_from_command,
    commands_of,
    get_template_params,
)

#: What a job may say beside its template, and what goes without saying.
JOB_DEFAULTS: Mapping[str, Any] = {
    "report_stdout": False,
    "report_success": True,
    "report_format": "text",
    "suppress_empty": False,
    "call_tech_support_on_error": True,
}

SLACK_DEFAULTS: Mapping[str, Any] = {"delay_seconds": 0}

DEFAULT_CHANNEL = "#tech"

_JOB = frozenset({"run_args_template"})
_SLACK = frozenset({"command", "help", "action", "job_type"})
_NAMESPACE = frozenset({"jobs", "slack"})
_OPTIONS_OF_NAMESPACE = frozenset({"description", "restricted", "fabfile", "default_channel"})

#: They become part of a job's address, and of what is typed in Slack.
_NAMESPACE_NAME = re.compile(r"[\w.-]+", re.ASCII)
_JOB_TYPE = re.compile(r"[\w.-]+")
_LONGEST_CLASS_NAME = 100
_LONGEST_CHANNEL = 100


@dataclass
class Config:
    """What was read: all that is right is there, whatever is wrong beside it."""

    #: As `build_config` returns it.
    built: dict[str, Any] = field(
        default_factory=lambda: {
            "jobs": {},
            "slack": [],
            "description": {},
            "help": {},
            "fabfiles": {},
            "workspace_dir": {},
            "restricted": {},
            "default_channel": {},
        }
    )
    #: (namespace, job type, its name in `built`) of each job.
    jobs: list[tuple[str, str, str]] = field(default_factory=list)
    problems: list[ConfigError] = field(default_factory=list)
    #: What has no effect, and may be a slip of the pen.
    advice: list[ConfigError] = field(default_factory=list)

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Go on behind a block that finds something wrong."""
        try:
            yield
        except ConfigError as error:
            self.problems.append(error)


def build_config(
    raw_config: Mapping[str, Any], workspace_of: Callable[[str], Path] | None = None
) -> dict[str, Any]:
    """Return the configuration in the shape that bennettbot gives it. Raises ConfigError, a RuntimeError, on the first fault.

    workspace_of: returns the folder in which the one of a namespace is.
    """
    config = read_config(raw_config, workspace_of)
    for problem in config.problems:
        raise problem
    return config.built


def read_config(raw_config: Any, workspace_of: Callable[[str], Path] | None = None) -> Config:
    """Read what is right, and note what is not."""
    config = Config()
    with config.noting():
        check_kind(raw_config, Mapping, (), "raw_config is a dictionary of namespaces")
        for namespace, said in raw_config.items():
            with config.noting():
                _read_namespace(config, namespace, said)
                if workspace_of:
                    config.built["workspace_dir"][namespace] = workspace_of(namespace)
    config.built["slack"].sort(key=itemgetter("command"))
    for help_ in config.built["help"].values():
        help_.sort()
    return config


def _read_namespace(config: Config, namespace: Any, said: Any) -> None:
    place: Place = (str(namespace),)
    if "_" in str(namespace):
        # The name of a job has the namespace before its first underscore.
        raise ConfigError(place, "Namespaces must not contain underscores")
    if not (
        isinstance(namespace, str)
        and _NAMESPACE_NAME.fullmatch(namespace)
        and len(namespace) < _LONGEST_CLASS_NAME
    ):
        raise ConfigError(place, "a namespace is one word of letters, digits, hyphens and dots")
    check_kind(said, Mapping, place, "a namespace is a dictionary with jobs and slack")
    check_keys(place, said, _NAMESPACE, None)
    check_kind(said["jobs"], Mapping, (*place, "jobs"), "jobs is a dictionary {job type: {...}}")
    check_kind(said["slack"], list | tuple, (*place, "slack"), "slack is a list of commands")
    options = _options(place, said)
    _advise(config, place, said)
    built = config.built
    for name in ("description", "restricted", "default_channel"):
        built[name][namespace] = options[name]
    if options["fabfile"]:
        built["fabfiles"][namespace] = options["fabfile"]
    for job_type, job in said["jobs"].items():
        with config.noting():
            full_name = _full_name((*place, "jobs", str(job_type)), namespace, job_type)
            built["jobs"][full_name] = _job((*place, "jobs", job_type), job)
            config.jobs.append((namespace, job_type, full_name))
    built["help"][namespace] = []
    for number, entry in enumerate(said["slack"]):
        with config.noting():
            command = _command((*place, "slack", number), namespace, entry, said["jobs"], built["jobs"])
            if command:
                built["slack"].append(command)
                built["help"][namespace].append([command["command"], command["help"]])


def _options(place: Place, said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a namespace says of itself beside its jobs and commands."""
    options = {
        "description": said.get("description") or "",
        "restricted": said.get("restricted", False),
        "fabfile": said.get("fabfile") or "",
        "default_channel": said.get("default_channel", DEFAULT_CHANNEL) or "",
    }
    for name in ("description", "fabfile", "default_channel"):
        check_kind(options[name], str, (*place, name), f"{name} is a text")
    if len(options["default_channel"]) > _LONGEST_CHANNEL:
        raise ConfigError((*place, "default_channel"), "default_channel is the name of a channel")
    check_kind(options["restricted"], bool, (*place, "restricted"), "restricted is True or False")
    if options["fabfile"] and not _is_address(options["fabfile"]):
        raise ConfigError((*place, "fabfile"), "fabfile is the address of a file, https://…")
    return options


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and text.isprintable() and " " not in text


def _advise(config: Config, place: Place, said: Mapping[str, Any]) -> None:
    unknown = said.keys() - _NAMESPACE - _OPTIONS_OF_NAMESPACE
    for key in sorted(map(str, unknown)):
        known = ", ".join(sorted(_NAMESPACE | _OPTIONS_OF_NAMESPACE))
        config.advice.append(ConfigError((*place, key), f"{key} has no effect. A namespace may say: {known}"))


def _full_name(place: Place, namespace: str, job_type: Any) -> str:
    if not (isinstance(job_type, str) and _JOB_TYPE.fullmatch(job_type)):
        raise ConfigError(place, "a job type is one word of letters, digits, underscores, hyphens and dots")
    name = f"{namespace}_{job_type}"
    if len(name) > _LONGEST_CLASS_NAME:
        raise ConfigError(
            place, f"{name[:40]}… is longer than {_LONGEST_CLASS_NAME} characters, namespace included"
        )
    return name


def _job(place: Place, said: Any) -> dict[str, Any]:
    check_kind(said, Mapping, place, "a job is a dictionary with a run_args_template")
    check_keys(place, said, _JOB, JOB_DEFAULTS)
    job = {**JOB_DEFAULTS, **said}
    check_kind(job["run_args_template"], str, (*place, "run_args_template"), "run_args_template is a text")
    if job["report_format"] not in FORMATS:
        raise ConfigError(
            (*place, "report_format"),
            f"invalid report_format {job['report_format']!r}. There are: {', '.join(FORMATS)}",
        )
    for name, default in JOB_DEFAULTS.items():
        if isinstance(default, bool):
            check_kind(job[name], bool, (*place, name), f"{name} is True or False")
    _check_template((*place, "run_args_template"), job["run_args_template"])
    return job


def params_of(template: str) -> list[str]:
    """Return the names between braces in a template, each once, in their order. Raises ValueError where it is none."""
    names = []
    for _, name, spec, conversion in Formatter().parse(template):
        if name is None:
            continue
        if not re.fullmatch(r"[^\W\d]\w*", name) or spec or conversion:
            raise ValueError(f"{{{name}}} is no name of a parameter")
        names.append(name)
    return list(dict.fromkeys(names))


def _check_template(place: Place, template: str) -> None:
    if not template.strip() or "\0" in template:
        raise ConfigError(place, "run_args_template is the command to run")
    try:
        params_of(template)
    except ValueError as error:
        raise ConfigError(
            place,
            f"{error}. What is between braces is a parameter, {{name}}; other braces are doubled, {{{{ and }}}}",
        ) from None


def _command(
    place: Place, namespace: str, said: Any, all_types: Mapping[Any, Any], jobs: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return a command, complete; None for one of a job that is not there because of what is wrong with it."""
    check_kind(said, Mapping, place, "a command is a dictionary")
    check_keys(place, said, _SLACK, SLACK_DEFAULTS)
    said = {**said, "help": _help(said["help"])}
    for name in sorted(_SLACK):
        check_kind(said[name], str, (*place, name), f"{name} is a text")
    if said["action"] not in ACTIONS:
        raise ConfigError(
            (*place, "action"), f"unknown action {said['action']!r}. There are: {', '.join(ACTIONS)}"
        )
    job_type = f"{namespace}_{said['job_type']}"
    if said["job_type"] not in all_types:
        raise ConfigError((*place, "job_type"), f"references unknown job type {said['job_type']}")
    if job_type not in jobs:
        return None
    command = {
        **SLACK_DEFAULTS,
        **said,
        "command": f"{namespace} {' '.join(said['command'].split())}",
        "job_type": job_type,
    }
    _check_command(place, command, params_of(jobs[job_type]["run_args_template"]))
    command["regex"] = build_regex_from_command(command["command"])
    command["template_params"] = get_template_params(command["command"])
    return command


def _help(given: Any) -> Any:
    """Join what a comma in brackets has made several texts of: nobody has minded it there."""
    several = isinstance(given, list | tuple) and all(isinstance(part, str) for part in given)
    return " ".join(given) if several else given


def _check_command(place: Place, command: Mapping[str, Any], params: Sequence[str]) -> None:
    given = get_template_params(command["command"])
    if command["action"] == SCHEDULE and set(given) != set(params):
        raise ConfigError(
            (*place, "command"),
            f"does not match the template: the command has {_listed(given, '[]')}, the template of "
            f"{command['job_type']} has {_listed(params, '{}')}",
        )
    try:
        commands_of(command["job_type"], [{"name": name} for name in params], entry_of(command))
    except BadJob as error:
        raise ConfigError(place, str(error).rstrip(".")) from error


def entry_of(command: Mapping[str, Any]) -> dict[str, Any]:
    """Return a command of the configuration as `Meta.slack` has it."""
    return {name: command[name] for name in ("command", "help", "action", "delay_seconds")}


def _listed(names: Sequence[str], wrapper: str) -> str:
    return ", ".join(f"{wrapper[0]}{name}{wrapper[1]}" for name in names) or "none"
