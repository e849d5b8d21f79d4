"""A form that somebody in Slack has before them: what it shows, and what it holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from store.models import JobRecord, User
from store.text import clean_text
from webapp import run_form
from webapp.pickers import Text
from webapp.run_form import RunForm
from webapp.slack.blocks import LONGEST_METADATA, modal, section
from webapp.slack.bot import Bot
from webapp.slack.fill_in import Asked
from webapp.slack.form_view import form_view, read_state, why_not
from worker.data_files import choices
from worker.lookups import open_data
from worker.messages import mrkdwn
from worker.questions import Questions

#: What a form of ours is sent off as.
RUN = "errand.run"


@dataclass(slots=True)
class Filling:
    """A form that somebody has before them, while one thing is done about it."""

    bot: Bot
    asked: Asked
    job: JobRecord
    user: User
    questions: Questions = field(init=False)

    def __post_init__(self) -> None:
        files = partial(choices, self.bot.platform.engine, self.user)
        self.questions = Questions(self.bot.settings, self.job, username=self.user.username, data_files=files)

    @property
    def page(self) -> str:
        """The address of the form in the portal; "" where nobody said where that is."""
        url = self.bot.settings.notices.url
        return f"{url}/jobs/{self.job.class_path}/" if url else ""

    def build(self, values: Mapping[str, Text], **more: Any) -> RunForm:
        with open_data(self.bot.settings).session() as data:
            return run_form.build(self.job, values, data, questions=self.questions, **more)

    def view(self, form: RunForm, *problems: str) -> dict[str, Any]:
        metadata = self._remembered(form)
        reason = why_not(form) or ("" if metadata else "It holds more than Slack shows.")
        if reason:
            link = f"<{self.page}|Open the form in the portal>" if self.page else "Fill it in in the portal."
            return modal(self.job.name, [section(f"{mrkdwn(reason)} {link}")])
        submit = "Ask for approval" if self.job.approval_required else "Run"
        more: dict[str, Any] = {"metadata": metadata, "submit": submit, "problems": problems}
        return form_view(self.job.name, form, callback=RUN, page=self.page, **more)

    def _remembered(self, form: RunForm) -> str:
        unseen = {
            field.name: field.value for field in form.fields if field.kind == "hidden" and not field.hidden
        }
        followed = {field.name: field.followed for field in form.shown if field.followed is not None}
        return replace(self.asked, unseen=unseen, followed=followed).written(LONGEST_METADATA)

    def first_view(self) -> dict[str, Any]:
        return self.view(self.build(cleaned(self.asked.given)))

    def typed(self, view: Mapping[str, Any]) -> dict[str, Text]:
        return read_state(self.job.variables, view)

    def values(self, typed: Mapping[str, Text]) -> dict[str, Text]:
        """Return what the inputs hold, as `build` takes it: a default that only followed others is none of it."""
        followed, text_of = self.asked.followed, run_form.followed_text
        touched = {name: text for name, text in typed.items() if followed.get(name) != text_of(text)}
        return cleaned({**self.asked.given, **self.asked.unseen, **touched})


def cleaned(values: Mapping[str, Text]) -> dict[str, Text]:
    """Return values as they can be shown again."""
    return {
        name: clean_text(text) if isinstance(text, str) else [clean_text(each) for each in text]
        for name, text in values.items()
    }
