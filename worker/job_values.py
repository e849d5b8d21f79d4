"""What jobs keep between their runs, in the PLATFORM database: their processes ask for it (see worker.values)."""

import json
import logging
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from jobs.json_text import Unreadable, parse_json
from store.models import JobValue
from store.platform import Platform
from worker.frames import BrokenLine
from worker.kept_values import ValueRefused, put, take
from worker.made_files import Keeper
from worker.ownership import Claim, Fenced, hold
from worker.values import MOST_BYTES, Answer, check_key

logger = logging.getLogger("errand.worker")


class KeptValues:
    """The values of the job of one run, one question after the other: its job waits for each answer."""

    def __init__(self, keeper: Keeper, claim: Claim) -> None:
        self._keeper = keeper
        self._claim = claim
        self._busy = False
        #: What is to be said to the last question, once it is known.
        self.answer: Answer | None = None

    def ask(self, act: str, key: str, text: str) -> None:
        """Have the writer do it. A job's code may have asked: raises BrokenLine for what no child of ours asks."""
        if self._busy or act not in ("get", "set", "delete", "keys") or len(text) > MOST_BYTES:
            raise BrokenLine("no value")
        if act != "keys":
            try:
                check_key(key)
            except ValueError as error:
                raise BrokenLine("no value") from error
        self._busy = True
        self._keeper.writer.ask(lambda: self._do(act, key, text))

    def take_answer(self) -> Answer | None:
        self._busy = False
        answer, self.answer = self.answer, None
        return answer

    # Called by the writer

    def _do(self, act: str, key: str, text: str) -> None:
        try:
            self.answer = _answer(self._keeper.platform, self._claim, act, key, text)
        except ValueRefused as error:
            self.answer = {"refused": str(error)}
        except Fenced:
            self.answer = {
                "refused": "The values were left as they are: the run belongs to another worker by now."
            }
        except Exception as error:  # Its job is told, and may go on without it.
            logger.error("A value of %s could not be had.", self._claim.result_id, exc_info=error)
            self.answer = {"refused": f"The database could not be asked: {type(error).__name__}."}
        finally:
            self._keeper.look()


def _answer(platform: Platform, claim: Claim, act: str, key: str, text: str) -> Answer:
    match act:
        case "get":
            return {"text": _get(platform, claim.run.class_path, key)}
        case "keys":
            return {"keys": _keys(platform, claim.run.class_path)}
        case "delete":
            return {"found": forget(platform, claim, key)}
    try:
        remember(platform, claim, key, parse_json(text))
    except Unreadable as error:
        raise ValueRefused(f"{key} was not kept: {error}") from error
    return {}


def _get(platform: Platform, class_path: str, key: str) -> str | None:
    with platform.reading() as db:
        found = db.get(JobValue, (class_path, key))
    return None if found is None else json.dumps(found.value)


def _keys(platform: Platform, class_path: str) -> list[str]:
    with platform.reading() as db:
        return list(db.scalars(select(JobValue.key).where(JobValue.class_path == class_path)))


def remember(platform: Platform, claim: Claim, key: str, value: Any) -> None:
    """Keep a value for the job of this run. Raises ValueRefused, or Fenced when the run is not ours."""
    try:
        _remember(platform, claim, key, value)
    except IntegrityError:
        # Another run of the job has just made the same key: now it is there.
        _remember(platform, claim, key, value)


def _remember(platform: Platform, claim: Claim, key: str, value: Any) -> None:
    with platform.engine.begin() as connection:
        hold(connection, claim)
        put(connection, claim.run.class_path, key, value, claim.result_id)


def forget(platform: Platform, claim: Claim, key: str) -> bool:
    """Delete a value of the job of this run; False when there is none. Raises Fenced when the run is not ours."""
    with platform.engine.begin() as connection:
        hold(connection, claim)
        return take(connection, claim.run.class_path, key)
