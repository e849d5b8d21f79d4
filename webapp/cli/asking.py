"""What the commands that ask for a run share: inputs on the command line, and refusals as sentences."""

import mimetypes
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jobs.errors import InvalidData, InvalidValue
from jobs.files import Upload
from jobs.json_text import Unreadable, parse_json
from store.permissions import Forbidden, NotVisible
from store.plugins import PluginError
from store.text import clean_text, entry_text
from webapp.cli.platform import find_job, find_user
from webapp.texts import value_of
from worker.asked import require_runnable
from worker.freshness import catch_up, is_behind

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from store.models import JobRecord, User
    from store.platform import Platform
    from store.settings import Settings

#: In errors, inputs that are no variable are called as the command calls them.
OPTIONS = {
    "_queue": "--queue",
    "_commit": "--no-commit",
    "_profile": "--profile",
    "_ignore_singleton_lock": "--ignore-singleton-lock",
}


class Refused(click.ClickException):
    """Nothing was asked for, or nothing could be: a sentence, and exit code 2."""

    exit_code = 2


@contextmanager
def refusals() -> Iterator[None]:
    """Give every refusal a sentence and exit code 2: 1 belongs to a job that failed."""
    try:
        yield
    except InvalidData as error:
        raise Refused(f"Nothing was stored.\n{sentences(error)}") from error
    except (Forbidden, PluginError) as error:
        raise Refused(str(error)) from error
    except NotVisible as error:
        raise Refused("There is no such job, or this user may not see it.") from error
    except click.Abort:
        # At the end of the line on which a question stands.
        click.echo(err=True)
        raise Refused("Nothing was stored.") from None
    except click.UsageError:
        raise
    except click.ClickException as error:
        raise Refused(error.format_message()) from error


def runnable_job(platform: "Platform", settings: "Settings", class_path: str) -> "JobRecord":
    with platform.reading() as db:
        job = find_job(db, class_path)
    if is_behind(settings, job):
        with platform.session() as db:
            catch_up(db, settings, find_job(db, class_path))
        with platform.reading() as db:
            job = find_job(db, class_path)
    require_runnable(job)
    return job


def active_user(db: "Session", username: str) -> "User":
    found = find_user(db, username)
    if not found.active:
        raise Refused(f"{username} is disabled. Enable first: ./errand user enable {username}")
    return found


def from_json(text: str | None) -> dict[str, Any]:
    """Return the inputs that --data gives."""
    if text is None:
        return {}
    try:
        given = parse_json(text)
    except Unreadable as error:
        raise Refused(f"Invalid JSON data: {error}") from None
    if not isinstance(given, dict):
        raise Refused('Invalid JSON data: it needs to be an object, as in \'{"name": "value"}\'.')
    return given


def from_preset(presets: Mapping[str, Any], name: str | None) -> dict[str, Any]:
    """Return the inputs that --preset gives. What it empties is left to be asked for."""
    if name is None:
        return {}
    if name not in presets:
        known = ", ".join(f'"{each}"' for each in presets)
        raise Refused(f'There is no preset "{name}". {f"Choose from: {known}." if known else "It has none."}')
    return {variable: value for variable, value in presets[name].items() if value is not None}


def from_pairs(variables: Sequence[Mapping[str, Any]], pairs: Sequence[str]) -> dict[str, Any]:
    """Return the inputs that are given as name=value, each read as a part of a flat form is."""
    texts: dict[str, list[str]] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise click.UsageError(f"Give inputs as name=value, not {pair!r}.")
        # As everywhere: bytes that are no text stand for nothing a job could take.
        texts.setdefault(clean_text(name), []).append(clean_text(text))
    kinds = {variable["name"]: variable["type"] for variable in variables}
    return {name: _value(kinds.get(name), given) for name, given in texts.items()}


def _value(kind: str | None, texts: Sequence[str]) -> Any:
    try:
        value = value_of(kind, texts)
        # As curl and others name files; one whose name begins like that is ./@name.
        return file_at(value.removeprefix("@")) if kind == "FileVar" and value else value
    except InvalidValue as error:
        return error  # Said with all else that does not fit.


def file_at(path: str) -> Upload:
    """Return what a FileVar is given for the file at `path`. Raises InvalidValue."""
    try:
        given = Path(path).expanduser()
        # To open a pipe could wait for ever, and nobody knows its size.
        if given.exists() and not given.is_file():
            raise InvalidValue(f"{path} is no file.")
        stream = given.open("rb")
        # It is read when the run is stored.
        click.get_current_context().call_on_close(stream.close)
        upload = Upload(given.name, stream, mimetypes.guess_type(given.name)[0] or "")
        upload.size_bytes  # noqa: B018  Some files of the system have none.
    except OSError as error:
        raise InvalidValue(f"{path} cannot be read: {error.strerror}.") from error
    except RuntimeError as error:
        raise InvalidValue(f"{path} cannot be read: there is no such home folder.") from error
    return upload


def sentences(error: InvalidData) -> str:
    """Return what does not fit, one sentence a line."""
    if not isinstance(error.errors, dict):
        return "\n".join(entry_text(sentence) for sentence in error.errors)
    return "\n".join(
        entry_text(f"{OPTIONS.get(name, name)}: {' '.join(said)}") for name, said in error.errors.items()
    )


def tell(text: str) -> None:
    """Say something about what happens, where results do not go."""
    click.echo(entry_text(text), err=True)
