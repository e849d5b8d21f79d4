"""Files that lie beside a job's own file."""

import json
from pathlib import Path
from typing import Any


def load_yaml(job_file: str, name: str) -> Any:
    """Return what the YAML file says. Raises ValueError for a name that leads out of the folder, or for no YAML."""
    # Imported here: few jobs need it.
    import yaml

    path = beside(job_file, name)
    try:
        return yaml.safe_load(path.read_text("utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{name} is no YAML: {error}") from error


def load_json(job_file: str, name: str) -> Any:
    """Return what the JSON file says. Raises ValueError for a name that leads out of the folder, or for no JSON."""
    path = beside(job_file, name)
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{name} is no JSON: {error}") from error


def beside(job_file: str, name: str) -> Path:
    """Return the path of a file in the folder of `job_file`, or below it. Raises ValueError for any other.

    Links are followed first: one that leads out of the folder is refused, too.
    """
    folder = Path(job_file).parent.resolve()
    path = Path(folder, name).resolve()
    if not path.is_relative_to(folder):
        raise ValueError(f"{name} is outside of the job's folder.")
    return path
