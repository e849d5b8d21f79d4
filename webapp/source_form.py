"""The form of a git repository: what was typed, what is wrong with it, and what becomes of it."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from store.audit import note
from store.git_rules import (
    host_of,
    problem_of_host_keys,
    problem_of_path,
    problem_of_ref,
    problem_of_slug,
    problem_of_url,
    scheme_of,
)
from store.lockbox import CannotUnlock, lock, unlock
from store.models import GitSource, SourceSync, User
from store.permissions import require
from store.text import clean_text
from store.timing.saved import plan
from webapp.admin_forms import AdminForm, line
from webapp.schedule_form import AGAIN, PREFIX, ScheduleForm, preview, read_times
from worker.syncs import add, ask, forget

#: The inputs of the calendar, called as those of schedules are: the same preview tells what is typed.
CRON, ZONE = f"{PREFIX}crontab", f"{PREFIX}zone"

TEXTS = ("url", "ref", "path", "username", "interval_minutes", CRON, ZONE)

#: {name: label} of what is stored encrypted, and never shown.
SECRETS = {"token": "Token", "private_key": "Private key", "webhook_secret": "Webhook secret"}

#: Of these, what another server must not get to see.
LOGINS = ("token", "private_key")

LONGEST_USERNAME, LONGEST_SECRET, SHORTEST_WEBHOOK_SECRET = 200, 20_000, 16
LONGEST_HOST_KEYS = 20_000
MOST_MINUTES = 7 * 24 * 60


def input_of(field: str, source: GitSource) -> str:
    """Return the input that what a sync found wrong stands beside."""
    if field == "credentials":
        return "private_key" if scheme_of(source.url) == "ssh" else "token"
    return field


def values_of(source: GitSource) -> dict[str, Any]:
    return {
        "url": source.url,
        "ref": source.ref,
        "path": source.path,
        "username": source.username,
        "host_keys": source.host_keys,
        "interval_minutes": str(source.interval_minutes),
        CRON: source.cron,
        ZONE: source.zone,
        "enabled": source.enabled,
        "set": source.secret_names,
    }


def told(source: GitSource) -> dict[str, Any]:
    """Return what the audit may know of it."""
    values = values_of(source)
    calendar = {"cron": values.pop(CRON), "zone": values.pop(ZONE)}
    return {**values, **calendar, "set": sorted(values["set"])}


def read_form(sent: MultiDict[str, str], source: GitSource | None, allowed: Collection[str]) -> AdminForm:
    """Return what was typed, with sentences where it cannot be right. source: None for a new one."""
    form = AdminForm(
        {
            **{name: line(sent, name) for name in ("slug", *TEXTS)},
            **{name: clean_text(sent.get(name, "")).strip() for name in ("host_keys", *SECRETS)},
            "enabled": sent.get("enabled") == "true",
            "remove": [name for name in SECRETS if sent.get(f"remove-{name}")],
            "set": list(source.secret_names) if source is not None else [],
        }
    )
    form.values["path"] = form.text("path").strip("/")
    rules = [
        ("url", problem_of_url(form.text("url"), allowed) if form.text("url") else "This field is required."),
        ("ref", problem_of_ref(form.text("ref"))),
        ("path", problem_of_path(form.text("path"))),
        ("host_keys", _problem_of_host_keys(form.text("host_keys"))),
        ("interval_minutes", _problem_of_minutes(form.text("interval_minutes"))),
        ("token", "" if form.text("token").isprintable() else "A token is one line."),
        ("private_key", _problem_of_key(form.text("private_key"))),
        ("webhook_secret", _problem_of_webhook_secret(form.text("webhook_secret"))),
    ]
    if source is None:
        rules.append(("slug", problem_of_slug(form.text("slug"))))
    if len(form.text("username")) > LONGEST_USERNAME:
        rules.append(("username", f"Ensure this value has at most {LONGEST_USERNAME} characters."))
    for name, problem in rules:
        if problem:
            form.refuse(name, problem)
    _check_calendar(form)
    if source is not None and "url" not in form.errors and _server(source.url) != _server(form.text("url")):
        _refuse_old_logins(form)
    return form


def save_new(db: Session, form: AdminForm, secret_key: str, *, via: str, by: User) -> GitSource:
    """Add a source as it was read, and ask for its first sync. Commits `db`.

    Raises InvalidData where something is wrong, which the form says too; NotVisible or Forbidden.
    """
    form.raise_errors()
    source = GitSource(slug=form.text("slug"))
    # Somebody may have leave for some sources only.
    require(by, "change", source)
    fill_in(source, form, secret_key)
    add(db, source)
    note(db, "source.create", source.name, after=told(source))
    try:
        db.flush()
    except IntegrityError:
        db.rollback()
        form.refuse("slug", "There is a source of this name already.")
        raise form.refusal() from None
    ask(db, source, via=via, by=by.username)
    db.commit()
    return source


def save_changes(
    db: Session, source: GitSource, form: AdminForm, secret_key: str, *, via: str, by: User
) -> None:
    """Change a source as it was read, and ask for a sync where there is something else to be fetched. Commits `db`.

    Raises InvalidData where something is wrong, which the form says too.
    """
    if form.errors:
        db.rollback()
        raise form.refusal()
    before = told(source)
    moved = fill_in(source, form, secret_key)
    note(db, "source.change", source.name, before=before, after=told(source))
    if moved:
        ask(db, source, via=via, by=by.username)
    db.commit()


def ask_for_sync(db: Session, source: GitSource, *, via: str, by: User, anyway: str = "") -> SourceSync:
    """Have the scheduler look at it. Commits `db`. anyway: a commit to use though it was refused for some of its files."""
    sync = ask(db, source, via=via, by=by.username, anyway=anyway)
    note(db, "source.sync", source.name, after={"anyway": anyway} if anyway else None)
    db.commit()
    return sync


def ask_for_test(db: Session, source: GitSource, *, via: str, by: User) -> SourceSync:
    """Have the scheduler ask the server what it has. Commits `db`."""
    sync = ask(db, source, via=via, by=by.username, test=True)
    note(db, "source.test", source.name)
    db.commit()
    return sync


def drop(db: Session, source: GitSource) -> None:
    """Delete a source. Its jobs are not installed any more; their results stay. Commits `db`."""
    note(db, "source.delete", source.name, before=told(source))
    forget(db, source)
    db.commit()


def fill_in(source: GitSource, form: AdminForm, secret_key: str) -> bool:
    """Put what was typed into the record; tell whether there is something else to be fetched now."""
    before = (source.url, source.ref, source.path, source.host_keys, source.enabled)
    if (
        source.url
        and _server(source.url) != _server(form.text("url"))
        and form.text("host_keys") == (source.host_keys.strip())
    ):
        # They are of the server that was; the new one shows its own.
        form.values["host_keys"] = ""
    for name in ("url", "ref", "path", "username", "host_keys"):
        setattr(source, name, form.text(name))
    source.enabled = bool(form.values["enabled"])
    source.interval_minutes = int(form.text("interval_minutes") or 0)
    # Without times nobody has looked at what their zone is called.
    calendar = (form.text(CRON), form.text(ZONE) or "UTC") if form.text(CRON) else ("", source.zone or "UTC")
    if calendar != (source.cron, source.zone):
        source.cron, source.zone = calendar
        plan(source)
    secrets_changed = _fill_in_secrets(source, form, secret_key)
    moved = before != (source.url, source.ref, source.path, source.host_keys, source.enabled)
    if moved:
        # The commit in use may be of elsewhere: that it is the newest one says nothing any more.
        source.found_ref = source.refused_commit = ""
    return source.enabled and (moved or secrets_changed)


def _fill_in_secrets(source: GitSource, form: AdminForm, secret_key: str) -> bool:
    typed = {name: form.text(name) for name in SECRETS if form.text(name)}
    removed = [name for name in form.values["remove"] if name not in typed]
    if not typed and not removed:
        source.secret_names = source.secret_names or []
        return False
    try:
        known = unlock(secret_key, source.secrets)
    except CannotUnlock:
        known = {}
    values = {name: value for name, value in {**known, **typed}.items() if name not in removed}
    source.secrets = lock(secret_key, values) if values else None
    source.secret_names = sorted(values)
    return True


def _server(url: str) -> tuple[str, str]:
    place = url.partition("://")[2].partition("/")[0] if "://" in url else host_of(url)
    return scheme_of(url), place.rpartition("@")[2].lower()


def _refuse_old_logins(form: AdminForm) -> None:
    """Whoever may change the address must not get to see with it what they may not see otherwise."""
    for name in LOGINS:
        if name in form.values["set"] and not form.text(name) and name not in form.values["remove"]:
            form.refuse(name, "The address is of another server: enter what that one knows, or remove this.")


def times_shown(form: AdminForm) -> Mapping[str, Any] | None:
    """Return the calendar in words, with its next times; None where there is none, or something is wrong with it."""
    return preview(_calendar(form)) if form.text(CRON) else None


def _calendar(form: AdminForm) -> ScheduleForm:
    values = {CRON: form.text(CRON), ZONE: form.text(ZONE), f"{PREFIX}interval": "custom"}
    return ScheduleForm(values, when=AGAIN)


def _check_calendar(form: AdminForm) -> None:
    """Ask of a calendar what is asked of a schedule's."""
    if not form.text(CRON):
        return
    calendar = _calendar(form)
    read_times(calendar)
    for name, problem in calendar.errors.items():
        form.refuse(ZONE if name == ZONE else CRON, problem)
    if form.text("interval_minutes").strip("0"):
        form.refuse(CRON, "Choose one of the two: leave this empty, or set the minutes to 0.")


def _problem_of_minutes(text: str) -> str:
    if text and (not (text.isascii() and text.isdecimal()) or len(text) > 5 or int(text) > MOST_MINUTES):
        return f"Write a whole number of minutes, at most {MOST_MINUTES:,}; 0 for never."
    return ""


def _problem_of_host_keys(text: str) -> str:
    if len(text) > LONGEST_HOST_KEYS:
        return f"Ensure this value has at most {LONGEST_HOST_KEYS:,} characters."
    return problem_of_host_keys(text)


def _problem_of_webhook_secret(text: str) -> str:
    if text and (not text.isprintable() or not SHORTEST_WEBHOOK_SECRET <= len(text) <= LONGEST_USERNAME):
        return f"Use one line of {SHORTEST_WEBHOOK_SECRET} to {LONGEST_USERNAME} characters."
    return ""


def _problem_of_key(text: str) -> str:
    """Say why ssh cannot use this private key without asking somebody."""
    if not text:
        return ""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

    content = ("\n".join(text.splitlines()) + "\n").encode()
    load = load_ssh_private_key if "OPENSSH PRIVATE KEY" in text else load_pem_private_key
    try:
        load(content[:LONGEST_SECRET], None)
    except TypeError:
        return "This key has a passphrase, which nobody could enter: use one without."
    except (ValueError, UnsupportedAlgorithm):
        if "ENCRYPTED" in text:
            return "This key has a passphrase, which nobody could enter: use one without."
        return "This is no private key. Paste the whole file, from its BEGIN to its END line."
    return ""
