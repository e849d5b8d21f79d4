"""`./errand token`: what scripts call the API with."""

from typing import TYPE_CHECKING

import click

from webapp.cli import with_settings
from webapp.cli.platform import find_user, platform_session

if TYPE_CHECKING:
    from store.settings import Settings


@click.group()
def token() -> None:
    """Create API tokens."""


@token.command()
@click.option("--user", "username", required=True, metavar="NAME", help="Whose token it is.")
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
@with_settings
def create(
    settings: "Settings",
    username: str,
    label: str,
    days: int | None,
    read_only: bool,
    class_paths: tuple[str, ...],
) -> None:
    """Print a new token, and nothing else. It is shown this once: only its hash is kept."""
    from store.people import BadToken, make_token

    with platform_session(settings) as session:
        user = find_user(session, username)
        if not user.active:
            raise click.ClickException(f"{username} is disabled; a token of theirs would open nothing.")
        try:
            plain = make_token(
                session, user, name=label, days=days, read_only=read_only, class_paths=class_paths
            )
        except BadToken as error:
            hints = {"name": "--name", "days": "--days", "class_paths": "--job"}
            name, sentence = next(iter(error.errors.items()))
            raise click.BadParameter(sentence, param_hint=hints[name]) from error
    click.echo(plain)
