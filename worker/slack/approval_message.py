"""What Slack is shown of a run that waits for somebody to approve it, and of what was decided."""

from typing import Any

from store.models import Approval, JobRecord, JobResult, Status
from worker.messages import cut, mrkdwn

#: What is clicked. The value of the first two is the run's id.
APPROVE, DENY, OPEN = "errand.approve", "errand.deny", "errand.open"

#: Of a comment as much as a message shows.
LONGEST_SHOWN = 500

_DECIDED = {
    "approved": ":white_check_mark: Approved by {by}",
    "denied": ":no_entry: Denied by {by}",
    "expired": ":hourglass: Nobody approved it in time",
    "withdrawn": ":wastebasket: Taken back",
}


def text_of(result: JobResult) -> str:
    """Return what notifications show of the message, before and after the decision."""
    waits = result.status == Status.AWAITING_APPROVAL
    said = "waits for somebody to approve it" if waits else "waits for no approval any more"
    return f"{mrkdwn(result.name)} {said}."


def blocks_of(result: JobResult, job: JobRecord | None, portal_url: str) -> list[dict[str, Any]]:
    """Ask for a decision. The inputs are shown to who decides, not to everybody in a channel.

    portal_url: without a slash at its end; empty: there is no link.
    """
    said = f":hourglass_flowing_sand: *{mrkdwn(result.name)}* waits for somebody to approve it."
    lines = [said, f"{mrkdwn(result.shown_username)} asked for it."]
    if needs_page(job):
        lines.append("What it will change has to be looked at first: decide on it in the portal.")
    asked = "" if needs_page(job) else str(result.id)
    link = f"{portal_url}/approvals/{result.id}" if portal_url else ""
    return [_section("\n".join(lines)), *([decision_block(asked, link)] if asked or link else [])]


def decision_block(result_id: str, link: str = "") -> dict[str, Any]:
    """Return the buttons by which to decide on a run, and the one that opens its page; each where it is given."""
    buttons: list[dict[str, Any]] = []
    if result_id:
        buttons += [
            {**_button("Approve", APPROVE), "value": result_id, "style": "primary"},
            {**_button("Deny", DENY), "value": result_id, "style": "danger"},
        ]
    if link:
        buttons.append({**_button("Open", OPEN), "url": link})
    return {"type": "actions", "elements": buttons}


def decided_blocks_of(result: JobResult, approval: Approval, portal_url: str) -> list[dict[str, Any]]:
    """Say what came of it, in the place of what asked."""
    name = mrkdwn(result.name)
    link = f"<{portal_url}/results/{result.id}|{name}>" if portal_url else name
    outcome = _DECIDED.get(str(approval.decision), "It waits for nobody any more")
    said = outcome.format(by=mrkdwn(approval.decided_by or "somebody"))
    comment = cut(mrkdwn(approval.comment or ""), LONGEST_SHOWN)
    quoted = "\n>" + comment.replace("\n", "\n>") if comment else ""
    return [_section(f"*{link}*, asked for by {mrkdwn(result.shown_username)}\n{said}.{quoted}")]


def needs_page(job: JobRecord | None) -> bool:
    """Tell whether more has to be looked at than Slack shows: the plan of what a run will change."""
    return job is None or job.has_plan


def _button(label: str, action: str) -> dict[str, Any]:
    text = {"type": "plain_text", "text": label, "emoji": False}
    return {"type": "button", "text": text, "action_id": action}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}
