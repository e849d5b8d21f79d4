"""The folders of a namespace's commands: where they run, where they may write, and where their output is kept.

Where the job file is one of a repository of bennettbot, or lies as such, is the root:

    <root>/workspace/<namespace>/   commands run here, if it is there
    <root>/                         is on the PYTHONPATH: `from workspace.utils import ...`

The environment says more, by the names that bennettbot has for it.
"""

import os
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

WORKSPACE = "workspace"

#: How many runs of one job may begin in one second.
_MOST_IN_A_SECOND = 1_000


def workspaces(file_path: str, environ: Mapping[str, str]) -> list[Path]:
    """Return the workspaces that are there: $WORKSPACE_DIR, then those beside the job file and beside its folder."""
    folder = Path(file_path).absolute().parent
    said = environ.get("WORKSPACE_DIR", "")
    places = [*([Path(said)] if said else []), folder / WORKSPACE, folder.parent / WORKSPACE]
    return [place for place in places if place.is_dir()]


def writeable_dir(environ: Mapping[str, str]) -> Path:
    """Return where commands may write: $WRITEABLE_DIR, which a worker sets to a folder of the instance if nobody has."""
    return Path(environ.get("WRITEABLE_DIR") or Path(tempfile.gettempdir(), f"errand-commands-{os.getuid()}"))


def writeable_workspace(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("WRITEABLE_WORKSPACE_DIR") or writeable_dir(environ) / WORKSPACE)


def workspace_of(namespace: str, file_path: str, environ: Mapping[str, str]) -> Path:
    """Return the workspace in which the namespace's folder is, or will be made."""
    for workspace in workspaces(file_path, environ):
        if (workspace / namespace).is_dir():
            return workspace
    return writeable_workspace(environ)


def root_of(file_path: str, environ: Mapping[str, str]) -> Path:
    """Return the folder from which scripts import `workspace`."""
    found = workspaces(file_path, environ)
    return found[0].absolute().parent if found else Path(file_path).absolute().parent


def new_log_folder(name: str, environ: Mapping[str, str]) -> Path | None:
    """Make the folder for the output of one run, $LOGS_DIR/<name>/<time>; None where nobody wants any."""
    logs = environ.get("LOGS_DIR", "")
    if not logs:
        return None
    moment = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    for number in range(1, _MOST_IN_A_SECOND):
        folder = Path(logs, name, moment if number == 1 else f"{moment}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise FileExistsError(f"{logs} has too many folders of {name}.")


def shown_log_folder(folder: Path, environ: Mapping[str, str]) -> str:
    """Return how a log folder is called in messages: below $HOST_LOGS_DIR, as the host of a container sees it."""
    host = environ.get("HOST_LOGS_DIR", "")
    return str(Path(host, *folder.parts[-2:]) if host else folder)
