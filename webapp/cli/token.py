"""`./errand token`: what scripts call the API with."""

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from webapp.cli import with_settings
from webapp.cli.platform import find_user, platform_session

if TYPE_CHECKING:
    from store.settings import Settings

#: What every token begins with, so that people, and scanners of repositories, know one when they see it.
PREFIX = "errand"

#: As much of a token as its row shows.
SHOWN_CHARACTERS = 12


@click.group()
def token() -> None:
    """Create API tokens."""


@token.command()
@click.option("--user", "username", required=True, metavar="NAME", help="Whose token it is.")
@click.option("--name", "label", default="", metavar="LABEL", help="What it is for.")
@click.option("--days", type=click.IntRange(1, 36_500), metavar="N", help="It expires after so many days.")
@with_settings
def create(settings: "Settings", username: str, label: str, days: int | None) -> None:
    """Print a new token, and nothing else. It is shown this once: only its hash is kept."""
    from store.models import ApiToken, now
    from store.secrets import new_token

    if len(label) > 255 or not label.isprintable():
        raise click.BadParameter("Use at most 255 printable characters.", param_hint="--name")
    with platform_session(settings) as session:
        user = find_user(session, username)
        if not user.active:
            raise click.ClickException(f"{username} is disabled; a token of theirs would open nothing.")
        plain, token_hash = new_token(PREFIX)
        expires_at = now() + timedelta(days=days) if days else None
        session.add(
            ApiToken(
                user_id=user.id,
                name=label,
                prefix=plain[:SHOWN_CHARACTERS],
                token_hash=token_hash,
                expires_at=expires_at,
            )
        )
        session.commit()
    click.echo(plain)
