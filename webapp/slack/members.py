"""Who people are, as Slack tells it."""

import logging
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from slack_sdk import WebClient

from worker.slack.client import NotTaken, taken

#: So old may be what Slack said of somebody: it does not like to be asked for each word.
KNOWN_SECONDS = 60.0
MOST_KNOWN = 10_000

#: Slack itself, which says what any guest has it say, by a reminder for one, and does not call itself a bot.
SLACKBOT = "USLACKBOT"

logger = logging.getLogger("errand.slack")


@dataclass(frozen=True, slots=True)
class Member:
    #: As others call them there.
    name: str
    display_name: str = ""
    #: Neither a guest, nor a bot, nor of another workspace.
    full: bool = False


@dataclass(slots=True)
class Members:
    seconds: float = KNOWN_SECONDS
    _known: dict[tuple[str, str], tuple[Member, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, client: WebClient, team: str, user: str, enterprise: str = "") -> Member | None:
        """Return who somebody is; None where Slack does not say. Who is no full member may be one by now: that is asked.

        enterprise: the organisation of the bot's workspace, if it has one.
        """
        known, read_at = self._known.get((team, user), (None, 0.0))
        if known is not None and time.monotonic() - read_at < self.seconds:
            return known
        found = _ask(client, team, user, enterprise)
        if found is not None and found.full:
            with self._lock:
                if len(self._known) >= MOST_KNOWN:
                    self._known.clear()
                self._known[team, user] = (found, time.monotonic())
        return found


def _ask(client: WebClient, team: str, user: str, enterprise: str) -> Member | None:
    try:
        with taken():
            return _member(team, enterprise, client.users_info(user=user)["user"])
    except NotTaken as error:
        if str(error) == "user_not_found":
            return Member(user)
        logger.warning("Slack does not say who %s is: %s", user, error)
        return None


def _member(team: str, enterprise: str, told: dict[str, Any]) -> Member:
    profile = told.get("profile") or {}
    kept_out = ("deleted", "is_bot", "is_restricted", "is_ultra_restricted", "is_stranger")
    is_person = told.get("id") != SLACKBOT and not any(told.get(flag) for flag in kept_out)
    return Member(
        name=str(told.get("name") or told.get("id") or ""),
        display_name=str(profile.get("real_name") or told.get("real_name") or ""),
        full=is_person and _is_at_home(team, enterprise, told),
    )


def _is_at_home(team: str, enterprise: str, told: dict[str, Any]) -> bool:
    """Tell whether somebody is of the bot's workspace, be it as one of several of its organisation."""
    if told.get("team_id", team) == team:
        return True
    # People of other organisations have this, too, and meet the bot in channels that are shared.
    at_work = told.get("enterprise_user") or {}
    same = bool(enterprise) and at_work.get("enterprise_id") == enterprise
    return same and (team == enterprise or team in at_work.get("teams", ()))
