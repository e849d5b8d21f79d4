"""A channel: what is wrong with what was said of it, and what becomes of it."""

import secrets
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from store import audit
from store.decisions import MOST_VALUES
from store.given import SettingsError
from store.lockbox import CannotUnlock, lock, unlock
from store.models import Channel, Delivery, User
from store.notice_settings import is_mail, is_sender, smtp_settings
from store.notices import FOR_CHANNELS
from store.settings import Settings
from webapp.admin_forms import AdminForm, check_name
from worker.notice_circle import try_out
from worker.outside import BadAddress, check_mail_host, check_url

KINDS = {"slack": "Slack", "webhook": "Webhook", "mail": "Mail"}
MOST_RECEIVERS = 50
LONGEST_ADDRESS, LONGEST_PATH = 2_000, 400


def new(kind: str) -> dict[str, Any]:
    """Return what the form of a new channel begins with."""
    return {
        "kind": kind,
        "enabled": True,
        "class_paths": "",
        "sender": "",
        "receivers": "",
        "words": set(),
    }


def values_of(channel: Channel) -> dict[str, Any]:
    """Return a channel as its form has it; its address is never shown."""
    return {
        "name": channel.name,
        "kind": channel.kind,
        "enabled": channel.enabled,
        "class_paths": "\n".join(channel.class_paths),
        "sender": channel.sender,
        "receivers": "\n".join(channel.receivers),
        "words": set(channel.words),
    }


def save(
    db: Session, settings: Settings, form: AdminForm, channel: Channel | None, by: User
) -> tuple[Channel, str]:
    """Make or change a channel; return it with its secret where that is new, or "". Commits `db`.

    Raises InvalidData where something is wrong, which the form says too.
    """
    _check(form)
    box = _box(form, channel, settings)
    form.raise_errors()
    before = told(channel) if channel is not None else None
    saved = channel or Channel(kind=form.text("kind"), sender="", receivers=[])
    secret = ""
    if channel is None and saved.kind == "webhook":
        secret = box["secret"] = _new_secret()
    saved.name, saved.enabled = form.text("name"), form.values["enabled"]
    saved.class_paths = form.text("class_paths").split()
    if saved.kind == "mail":
        saved.sender, saved.receivers = form.text("sender"), _receivers(form)
    saved.words = [word for word in FOR_CHANNELS if word in form.values["words"]]
    # Who saves it answers for it: from here on it is told what that person may see.
    saved.user_id = by.id
    if box:
        saved.place = _place(box, settings)
        saved.box = lock(settings.secret_key, box)
    db.add(saved)
    audit.note(
        db,
        "channel.create" if channel is None else "channel.change",
        saved.name,
        before=before,
        after=told(saved),
    )
    try:
        db.commit()
    except IntegrityError:
        db.rollback()
        form.refuse("name", "There is a channel of this name already.")
        raise form.refusal() from None
    return saved, secret


def renew_secret(db: Session, settings: Settings, channel: Channel) -> str:
    """Make a new secret for a webhook and return it. Commits `db`. Raises CannotUnlock."""
    box = unlock(settings.secret_key, channel.box)
    secret: str = _new_secret()
    channel.box = lock(settings.secret_key, {**box, "secret": secret})
    audit.note(db, "channel.secret", channel.name)
    db.commit()
    return secret


def send_try(db: Session, channel: Channel, by: User) -> Delivery:
    """Send a message that says nothing but that it arrived. Commits `db`."""
    delivery = try_out(channel, by.username)
    db.add(delivery)
    db.flush()
    audit.note(db, "channel.try", channel.name)
    db.commit()
    return delivery


def drop(db: Session, channel: Channel) -> None:
    """Delete a channel. Commits `db`."""
    audit.note(db, "channel.delete", channel.name, before=told(channel))
    db.delete(channel)
    db.commit()


def told(channel: Channel) -> dict[str, Any]:
    mail = {"sender": channel.sender, "receivers": list(channel.receivers)}
    return {
        "kind": channel.kind,
        "place": channel.place,
        **(mail if channel.kind == "mail" else {}),
        "enabled": channel.enabled,
        "class_paths": list(channel.class_paths),
        "words": list(channel.words),
    }


def _check(form: AdminForm) -> None:
    check_name(form, "name")
    if form.text("kind") not in KINDS:
        form.refuse("kind", "Choose Slack, Webhook or Mail.")
    paths = form.text("class_paths").split()
    if len(paths) > MOST_VALUES or any(len(path) > LONGEST_PATH for path in paths):
        form.refuse("class_paths", f"Name at most {MOST_VALUES} jobs.")
    if form.text("kind") == "mail":
        _check_mail(form)


def _check_mail(form: AdminForm) -> None:
    if not is_sender(form.text("sender")) or len(form.text("sender")) > 255:
        form.refuse("sender", "Say whom mail comes from: errand@example.com, or Errand <errand@example.com>.")
    receivers = _receivers(form)
    wrong = [receiver for receiver in receivers if not is_mail(receiver)]
    if not receivers or len(receivers) > MOST_RECEIVERS:
        form.refuse("receivers", f"Name one to {MOST_RECEIVERS} mail addresses.")
    elif wrong:
        form.refuse("receivers", f"{wrong[0][:80]} is not a mail address.")


def _receivers(form: AdminForm) -> list[str]:
    return list(dict.fromkeys(form.text("receivers").replace(",", " ").split()))


def _box(form: AdminForm, channel: Channel | None, settings: Settings) -> dict[str, Any]:
    """Return what is to be locked away; {} where the address stays as it is."""
    address = form.text("address")
    if not address:
        if channel is None:
            form.refuse("address", "This field is required.")
        return {}
    if form.text("kind") == "slack" and address.startswith("#"):
        if not settings.notices.slack_token:
            form.refuse("address", "For a channel by its name the portal needs SLACK_BOT_TOKEN.")
        if len(address) > 81:
            form.refuse("address", "The name of a channel has at most 80 characters.")
        return {"channel": address}
    if form.text("kind") == "mail":
        return _mail_box(form, address, settings)
    try:
        check_url(address, settings.notices)
    except BadAddress as error:
        form.refuse("address", str(error))
    try:
        known = unlock(settings.secret_key, channel.box) if channel is not None else {}
    except CannotUnlock:
        known = {"secret": _new_secret()}
    return {**{name: known[name] for name in ("secret",) if name in known}, "url": address}


def _mail_box(form: AdminForm, address: str, settings: Settings) -> dict[str, Any]:
    try:
        server = smtp_settings(address, form.text("sender"), "The address")
        if server.ca is not None:
            raise SettingsError("Leave out ca: the authority of ERRAND_SMTP_URL counts here, too.")
        check_mail_host(server.host, settings.notices)
    except (SettingsError, BadAddress) as error:
        form.refuse("address", str(error))
    return {"url": address}


def _place(box: dict[str, Any], settings: Settings) -> str:
    if box.get("url", "").startswith("smtp"):
        return smtp_settings(box["url"], "", "The address").host[:255]
    host: str = box.get("channel") or check_url(box["url"], settings.notices).hostname or ""
    return host[:255]


def _new_secret() -> str:
    return f"whsec_{secrets.token_urlsafe(32)}"
