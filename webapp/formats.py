"""How moments, durations and numbers read on a page."""

from datetime import UTC, datetime, timedelta

from flask import Flask

from jobs.files import in_units
from store.models import now


def init_app(app: Flask) -> None:
    app.jinja_env.filters.update(
        duration=duration,
        round_duration=round_duration,
        offset=offset,
        ago=ago,
        age=age,
        megabytes=megabytes,
        iso=iso,
        exact=exact,
        clock=clock,
        minute=minute,
        coming=coming,
        grouped=grouped,
        plural=plural,
        capital=capital,
        bytes=in_units,
    )


def duration(seconds: float | None) -> str:
    """0.2s, 48s, 1m 42s, 2h 05m, 3d 4h."""
    if seconds is None:
        return ""
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days}d {hour}h"
    if hours:
        return f"{hours}h {minute:02d}m"
    return f"{minutes}m {second:02d}s" if minutes else f"{second}s"


def round_duration(seconds: float) -> str:
    """10m, 1h 30m, 45s: as `duration`, without the parts that are nothing."""
    if seconds < 60:
        return f"{seconds:g}s"
    return " ".join(part for part in duration(seconds).split() if int(part[:-1]))


def offset(seconds: float) -> str:
    """+0.4s, +38.5s, +1m 18s: how long after the start."""
    seconds = max(0.0, seconds)
    return f"+{seconds:.1f}s" if seconds < 59.95 else f"+{duration(seconds)}"


def ago(moment: datetime) -> str:
    """just now, 2 min ago, 14:03 today, 16:20 yesterday, 3 days ago, 12 March, 12 March 2024."""
    today = now()
    seconds = (today - moment).total_seconds()
    if seconds < 10:
        return "just now"
    if seconds < 60:
        return f"{int(seconds)}s ago"
    if seconds < 3600:
        return f"{int(seconds // 60)} min ago"
    days = (today.date() - moment.astimezone(UTC).date()).days
    if days == 0:
        return f"{moment:%H:%M} today"
    if days == 1:
        return f"{moment:%H:%M} yesterday"
    if days < 7:
        return f"{days} days ago"
    return (
        f"{moment.day} {moment:%B}"
        if today - moment < timedelta(days=300)
        else f"{moment.day} {moment:%B %Y}"
    )


def clock(moment: datetime) -> str:
    """14:02:11 today, else with the day: 12 March 14:02:11."""
    if moment.date() == now().date():
        return f"{moment:%H:%M:%S}"
    return f"{moment.day} {moment:%b} {moment:%H:%M:%S}"


def minute(moment: datetime) -> str:
    """14:02 today, within a week Mon 14:02, else with the day: 12 March 14:02."""
    days = abs((moment.date() - now().date()).days)
    if days < 7:
        return f"{moment:%a %H:%M}" if days else f"{moment:%H:%M}"
    return f"{moment.day} {moment:%b} {moment:%H:%M}"


def coming(moment: datetime) -> str:
    """now, in 40 s, in 4 min, in 12 h 26 min, in 4 days."""
    seconds = (moment - now()).total_seconds()
    minutes, hours = round(seconds / 60), int(seconds // 3600)
    if seconds < 1:
        return "now"
    if seconds < 60:
        return f"in {round(seconds)} s"
    if minutes < 60:
        return f"in {minutes} min"
    if hours < 24:
        return f"in {hours} h {int(seconds % 3600 // 60)} min"
    days = round(seconds / 86_400)
    return f"in {plural(days, 'day')}"


def age(moment: datetime) -> str:
    """3s, 1m 42s: whole seconds, as the browser goes on counting them."""
    seconds = max(0.0, (now() - moment).total_seconds())
    return f"{int(seconds)}s" if seconds < 10 else duration(seconds)


def megabytes(size: int) -> str:
    return f"{grouped(round(size / 1_000_000))} MB"


def iso(moment: datetime, timespec: str = "milliseconds") -> str:
    return moment.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def exact(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def grouped(number: int) -> str:
    """4 812, with a space that does not break."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def capital(text: str) -> str:
    """Begin with a capital and leave the rest as it is."""
    return text[:1].upper() + text[1:]


def plural(number: int, one: str, many: str = "") -> str:
    return f"{grouped(number)} {one if number == 1 else many or one + 's'}"
