"""Whose account acts when somebody in Slack asks for something."""

from sqlalchemy.exc import IntegrityError

from store import slack_people
from store.models import User
from store.permissions import asker_of
from store.slack_people import Person
from webapp.slack.bot import Bot
from worker.slack.client import NotTaken

UNSAID = "Slack did not say who you are. Try again in a moment."
DISABLED = "Your account here is disabled. Ask an administrator."


class Unknown(Exception):
    """Nobody acts for them here, as a sentence for them."""


def person_of(bot: Bot, slack_user: str, name: str = "") -> Person:
    """Return somebody with what Slack says of them. name: of a program that is no user of Slack. Raises Unknown."""
    try:
        # The bot's, whatever a message says: in a channel that workspaces share it names that of whoever speaks.
        about = bot.about()
        team, enterprise = str(about["team_id"]), str(about.get("enterprise_id") or "")
    except NotTaken as error:
        raise Unknown(UNSAID) from error
    if name or not slack_user.startswith(("U", "W")):
        return Person(team, slack_user, name or slack_user, full=False)
    member = bot.members.find(bot.client, team, slack_user, enterprise)
    if member is None:
        return Person(team, slack_user)
    return Person(team, slack_user, member.name, member.display_name, member.full)


def account_of(bot: Bot, person: Person) -> User:
    """Return their account as it is now, of no session, with what it may do. Raises Unknown."""
    with bot.platform.reading() as db:
        identity = slack_people.find(db, person)
        known = identity is not None and slack_people.is_up_to_date(db, identity, person)
        user_id = identity.user_id if identity is not None else None
    if user_id is None or not known:
        user_id = _written(bot, person)
    with bot.platform.reading() as db:
        user = db.get_one(User, user_id)
        if not user.active:
            raise Unknown(DISABLED)
        asker_of(user)
        db.expunge(user)
    return user


def _written(bot: Bot, person: Person) -> int:
    """Have it be written down who they are, and what Slack says of them; return the id of their account."""
    try:
        return _write(bot, person)
    except IntegrityError:
        # Somebody who says two things at once, to two processes, and was never here before.
        return _write(bot, person)


def _write(bot: Bot, person: Person) -> int:
    with bot.platform.session() as db:
        identity = slack_people.find(db, person)
        if identity is None:
            if not bot.settings.slack.strangers:
                raise Unknown(how_to_connect(bot))
            if person.full is None:
                raise Unknown(UNSAID)
            identity = slack_people.make(db, person)
        slack_people.follow(db, identity, person)
        db.commit()
        return identity.user_id


def how_to_connect(bot: Bot) -> str:
    url = bot.settings.notices.url
    place = f"<{url}/account/|your account>" if url else "your account in the portal"
    return (
        f"I do not know who you are here. Open {place}, choose *Connect Slack*, "
        "and send me the code that it shows as a direct message."
    )
