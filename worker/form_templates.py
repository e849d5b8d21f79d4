"""What a job record keeps of a form template: what may be shown, and what may act."""

from collections.abc import Mapping
from typing import Any

from jobs.form_template import FormTemplate
from store import html
from worker.sources import may_bring_scripts

#: Of the HTML above and below a form together, in characters.
MOST_HTML = 32_000


def kept_template(described: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return a template of a job of `source`, as discovery described it, with its HTML sanitized; {} for none."""
    if not described:
        return {}
    template = FormTemplate(**{**described, "notes": list(described["notes"])})
    if len(template.before) + len(template.after) > MOST_HTML:
        error = f"its HTML is longer than {MOST_HTML:,} characters."
        return FormTemplate(template.name, error=error).as_data()
    trusted = may_bring_scripts(source)
    try:
        template.before, template.after = (
            html.sanitize_around_form(text, marks=trusted) for text in (template.before, template.after)
        )
    except html.TooDeep as error:
        return FormTemplate(template.name, error=str(error)).as_data()
    if not trusted:
        _leave_out_what_acts(template, source)
    return template.as_data()


def _leave_out_what_acts(template: FormTemplate, source: str) -> None:
    for word, text in (("script", template.js), ("style", template.css)):
        if text:
            template.notes.append(
                f"This form brings a {word}, which is not used: only those of job folders and plugins of this "
                f"machine are, and this job is of {source}."
            )
    template.js = template.css = ""
