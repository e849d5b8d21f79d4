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

_TELLING_NAME = re.compile(
    r"(^|_)(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|CREDENTIALS?)(_|$)", re.IGNORECASE
)


def known_secrets(settings: Settings) -> list[str]:
    """Return them. Raises SettingsError where a file that was named cannot be read."""
    found = dict.fromkeys([*_in_environment(environment_of_jobs()), *_in_files(settings.secrets_paths)])
    if len(found) > MOST:
        raise SettingsError(f"ERRAND_SECRETS holds {len(found):,} values; at most {MOST} can be looked for.")
    return list(found)


def _in_environment(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield what jobs find under a name that says it is a secret."""
    for name, value in environ.items():
        if _TELLING_NAME.search(name) and len(value) >= SHORTEST and not os.path.exists(value):
            yield value


def _in_files(paths: tuple[Path, ...]) -> Iterator[str]:
    for path in paths:
        if path.is_dir():
            # As containers are given theirs: a file each. Hidden ones are the machinery behind that.
            for file in sorted(path.iterdir()):
                if file.is_file() and not file.name.startswith("."):
                    yield from _long_enough([_text_of(file).strip()])
        else:
            yield from _long_enough(_text_of(path).splitlines())


def _long_enough(values: list[str]) -> Iterator[str]:
    for value in values:
        if len(value.strip()) >= SHORTEST:
            yield value.strip()


def _text_of(path: Path) -> str:
    try:
        if path.stat().st_size > LONGEST_FILE_BYTES:
            raise SettingsError(f"ERRAND_SECRETS names {path}, which is too large.")
        return path.read_text("utf-8", "surrogateescape")
    except OSError as error:
        raise SettingsError(
            f"ERRAND_SECRETS names {path}, which cannot be read: {error.strerror}."
        ) from error
