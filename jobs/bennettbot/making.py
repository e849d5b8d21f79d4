"""Makes the jobs of a module out of its `raw_config`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from jobs.bennettbot.base import SOFT_TIME_LIMIT_SECONDS, TIME_LIMIT_SECONDS, BennettbotJob, facts_of
from jobs.bennettbot.config import Config, entry_of, params_of, read_config
from jobs.bennettbot.faults import ConfigError
from jobs.bennettbot.literal import FILE, NAME, Written, written_in
from jobs.bennettbot.places import workspace_of
from jobs.slack_commands import SCHEDULE
from jobs.variables import StringVar

#: Where a module that has been made keeps what is to be said of it.
_MADE = "errand_bennettbot"

#: What the result's page shows of the output, by what Slack is told.
_PAGE_FORMATS = {"text": "text", "code": "code", "blocks": "blocks", "file": "code"}


@dataclass(frozen=True)
class Made:
    """What a `raw_config` has brought beside its jobs."""

    #: {"name", "description", "restricted", "default_channel"} of each namespace.
    namespaces: list[dict[str, Any]] = field(default_factory=list)
    #: Sentences.
    problems: list[str] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)


NOTHING = Made()


def made_of(module: ModuleType) -> Made:
    made = getattr(module, _MADE, NOTHING)
    return made if isinstance(made, Made) else NOTHING


def written_jobs(path: str, source: bytes) -> Written | None:
    """Return the `raw_config` in the text of a job file, where it may have one."""
    written = written_in(source) if path.endswith(".py") else None
    if written is not None and written.whole and not _is_meant(path, written.value()):
        return None
    return written


def _is_meant(path: str, raw: Any) -> bool:
    """Tell whether this is the one of bennettbot: any job file may have something of that name."""
    if Path(path).name == FILE:
        return True
    values = raw.values() if isinstance(raw, Mapping) else ()
    return any(isinstance(value, Mapping) and {"jobs", "slack"} & value.keys() for value in values)


def fill(module: ModuleType, written: Written, environ: Mapping[str, str]) -> None:
    """Give a module its jobs: one that has run, or for which the text is enough."""
    path = str(module.__file__)
    raw = written.value() if written.whole else as_written(getattr(module, NAME, None))
    if not _is_meant(path, raw):
        return
    config = read_config(raw, lambda namespace: workspace_of(namespace, path, environ))
    made = Made(
        namespaces=[_namespace(config.built, name) for name in config.built["restricted"]],
        problems=[_sentence(path, written, problem) for problem in config.problems],
        advice=[_sentence(path, written, each) for each in config.advice],
    )
    classes = [_job_class(module, config, *names) for names in config.jobs]
    if written.whole:
        # Nothing of the file has run; others may import these.
        vars(module).update({NAME: raw, "config": config.built})
    setattr(module, _MADE, made)
    vars(module).update({cls.__name__: cls for cls in classes})


def as_written(raw: Any) -> Any:
    """Return a configuration without what the `build_config` of bennettbot itself has written into it."""
    if not isinstance(raw, Mapping):
        return raw
    return {name: _namespace_as_written(name, said) for name, said in raw.items()}


def _namespace_as_written(name: Any, said: Any) -> Any:
    if not isinstance(said, Mapping) or not isinstance(said.get("slack"), list | tuple):
        return said
    return {**said, "slack": [_entry_as_written(name, entry) for entry in said["slack"]]}


def _entry_as_written(namespace: Any, entry: Any) -> Any:
    if not isinstance(entry, Mapping) or "regex" not in entry:
        return entry
    entry = {key: value for key, value in entry.items() if key not in ("regex", "template_params")}
    return {
        **entry,
        "command": str(entry["command"]).removeprefix(f"{namespace} "),
        "job_type": str(entry["job_type"]).removeprefix(f"{namespace}_"),
    }


def _namespace(built: Mapping[str, Any], name: str) -> dict[str, Any]:
    facts = ("description", "restricted", "default_channel")
    return {"name": name, **{fact: built[fact][name] for fact in facts}}


def _sentence(path: str, written: Written, problem: ConfigError) -> str:
    return f"{Path(path).name}, line {written.line_of(problem.place)}: {problem}."


def _job_class(
    module: ModuleType, config: Config, namespace: str, job_type: str, full_name: str
) -> type[BennettbotJob]:
    job, built = config.built["jobs"][full_name], config.built
    template = job["run_args_template"]
    commands = [command for command in built["slack"] if command["job_type"] == full_name]
    return type(
        full_name,
        (BennettbotJob,),
        {
            "__module__": module.__name__,
            "__doc__": _description(template, commands),
            "name": job_type,
            "command": template,
            "namespace": namespace,
            "fabfile_url": built["fabfiles"].get(namespace, ""),
            "report_format": _PAGE_FORMATS[job["report_format"]] if job["report_stdout"] else "none",
            "restricted": built["restricted"][namespace],
            "slack": [entry_of(command) for command in commands],
            "slack_report": facts_of(job),
            # One at a time of each, whatever its arguments.
            "concurrency_limit": 1,
            "dedupe": True,
            "soft_time_limit": SOFT_TIME_LIMIT_SECONDS,
            "time_limit": TIME_LIMIT_SECONDS,
            "_group": namespace,
            "_variables": _variables(template),
        },
    )


def _variables(template: str) -> dict[str, StringVar]:
    variables = {name: StringVar() for name in params_of(template)}
    for name, variable in variables.items():
        variable.name = name
    return variables


def _description(template: str, commands: Sequence[Mapping[str, Any]]) -> str:
    """Tell people what it is for, and what is run."""
    helps = [command["help"] for command in commands if command["action"] == SCHEDULE and command["help"]]
    code = "\n".join(f"    {line}" for line in template.strip().splitlines())
    return "\n\n".join([*helps[:1], f"Runs:\n\n{code}"])
