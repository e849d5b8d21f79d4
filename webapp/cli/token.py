"""`./errand token`: what scripts call the API with."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from webapp.cli import Place, with_place
from webapp.cli.platform import find_user, platform_session

if TYPE_CHECKING:
    from store.settings import Settings


@click.group()
def token() -> None:
    """Create API tokens."""


@token.command()
@click.option("--user", "owner", metavar="NAME", help="Whose token it is. Elsewhere it is yours.")
@click.option("--name", "label", default="", metavar="LABEL", help="What it is for.")
@click.option("--days", type=click.IntRange(1, 36_500), metavar="N", help="It expires after so many days.")
@click.option("--read-only", is_flag=True, help="It may look, and do nothing.")
@click.option(
    "--job",
    "class_paths",
    multiple=True,
    metavar="PATH",
    help="Of jobs only this one; a * stands for anything.",
)
@with_place
def create(
    place: Place,
    owner: str | None,
    label: str,
    days: int | None,
    read_only: bool,
    class_paths: tuple[str, ...],
) -> None:
    """Print a new token, and nothing else. It is shown this once: only its hash is kept."""
    given = {"name": label, "days": days, "read_only": read_only, "class_paths": class_paths}
    if place.elsewhere is not None:
        if owner is not None:
            raise click.UsageError("--user is for the instance here: elsewhere you make tokens of your own.")
        plain = place.elsewhere.post("/me/tokens", given)["token"]
    elif owner is None:
        raise click.UsageError("Missing option '--user'.")
    else:
        plain = _made(place.settings, owner, given)
    click.echo(plain)


def _made(settings: "Settings", owner: str, given: Mapping[str, Any]) -> str:
    from store.people import BadToken, make_token

    with platform_session(settings) as session:
        user = find_user(session, owner)
        if not user.active:
            raise click.ClickException(f"{owner} is disabled; a token of theirs would open nothing.")
        try:
            return make_token(session, user, **given)
        except BadToken as error:
            hints = {"name": "--name", "days": "--days", "class_paths": "--job"}
            name, sentence = next(iter(error.errors.items()))
            raise click.BadParameter(sentence, param_hint=hints[name]) from error
