"""Profiles of smtp.ini as channels: each mails what jobs of Bots Scheduler have to report."""

from collections.abc import Iterable, Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from jobs.errors import InvalidData
from store.models import Channel, User
from store.notices import OUTPUT
from store.settings import Settings
from webapp import channel_form
from webapp.admin_forms import AdminForm
from webapp.bots.config_files import MailProfile

#: What a channel is told that a profile makes; afterwards it is as somebody has it on its page.
TOLD = {"words": {OUTPUT}, "class_paths": "dialect:bots"}


def keep_channels(
    db: Session, settings: Settings, profiles: Iterable[MailProfile], owner: User
) -> Iterator[str]:
    """Make a channel of each profile, or give it the server and the receivers of now; yield what could not be done.

    Commits `db`.
    """
    for profile in profiles:
        query = select(Channel).where(Channel.name == profile.name).options(undefer(Channel.box))
        channel = db.scalars(query).one_or_none()
        if channel is not None and channel.kind != "mail":
            yield f"The channel {profile.name} is no mail, and stays as it is."
            continue
        known = channel_form.values_of(channel) if channel else channel_form.new("mail") | TOLD
        given = {
            "name": profile.name,
            "address": profile.url,
            "sender": profile.sender,
            "receivers": "\n".join(profile.receivers),
        }
        # Whoever has saved it on its page goes on answering for it.
        by = db.get(User, channel.user_id) if channel and channel.user_id else None
        form = AdminForm(known | given)
        try:
            channel_form.save(db, settings, form, channel, by or owner)
        except InvalidData:
            db.rollback()
            yield f"The profile {profile.name} makes no channel: {' '.join(form.errors.values())}"
