"""Values that no run may tell, whoever gave them to it: those an administrator names, and those in the environment."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from store.settings import Settings, SettingsError, environment_of_jobs

#: Shorter ones stay: they would be found in everything.
SHORTEST = 6

#: More than that is no secret, but a mistake.
LONGEST_FILE_BYTES = 1_000_000
MOST = 100

#: Names end with what they are: TOKEN_URL and SECRET_BACKEND hold no secret. PWD alone is a folder.
_TELLING_NAME = re.compile(
    r"((^|_)(PASSWORD|PASSWD|PASSPHRASE|PASS|SECRET|TOKEN|PAT|CREDENTIALS?)|_PWD|_KEY|APIKEY|PGPASSWORD|SSHPASS)$",
    re.IGNORECASE,
)

#: A line of a file of settings.
_ASSIGNMENT = re.compile(r"(?:export\s+)?[A-Z_][A-Z0-9_]*=(.*)")


def known_secrets(settings: Settings) -> list[str]:
    """Return them. Raises SettingsError where a file that was named cannot be read."""
    found = dict.fromkeys([*_in_environment(environment_of_jobs()), *_in_files(settings.secrets_paths)])
    if len(found) > MOST:
        raise SettingsError(f"ERRAND_SECRETS holds {len(found):,} values; at most {MOST} can be looked for.")
    return list(found)


def _in_environment(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield what jobs find under a name that says it is a secret."""
    for name, value in environ.items():
        is_path = os.path.isabs(value) and os.path.exists(value)
        if _TELLING_NAME.search(name) and len(value) >= SHORTEST and not is_path:
            yield value


def _in_files(paths: tuple[Path, ...]) -> Iterator[str]:
    for path in paths:
        try:
            texts = [_text_of(file) for file in _files_of(path)]
            # A folder has a value in each file, a file one in each line.
            values = texts if path.is_dir() else [_value_of(line) for line in texts[0].splitlines()]
        except OSError as error:
            raise SettingsError(
                f"ERRAND_SECRETS names {path}, which cannot be read: {error.strerror}."
            ) from error
        yield from (value.strip() for value in values if len(value.strip()) >= SHORTEST)


def _files_of(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    # As containers are given theirs. Hidden ones are the machinery behind that.
    return [file for file in sorted(path.iterdir()) if file.is_file() and not file.name.startswith(".")]


def _text_of(path: Path) -> str:
    if path.stat().st_size > LONGEST_FILE_BYTES:
        raise SettingsError(f"ERRAND_SECRETS names {path}, which is too large.")
    return path.read_text("utf-8", "surrogateescape")


def _value_of(line: str) -> str:
    """Return what a line holds, also where it is one of a file of settings: NAME="value"."""
    assigned = _ASSIGNMENT.fullmatch(line.strip())
    return assigned[1].strip().strip("\"'") if assigned else line
