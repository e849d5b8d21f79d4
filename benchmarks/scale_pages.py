"""Which pages the measure of scale asks for: all of the map of addresses, and the ways to look at the large ones."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from werkzeug.routing import Map, Rule


@dataclass(frozen=True, slots=True)
class Known:
    """What the addresses name."""

    #: A result with many entries, one that failed, and one that goes on.
    result_id: UUID
    failed_id: UUID
    running_id: UUID
    #: The class path of their job.
    job: str
    entries: int
    #: A cursor into the middle of all results.
    older: str
    entry_id: int
    group_id: int
    rule_id: int


#: No pages: they lead elsewhere, are a stranger's, or ask others who do not run here.
ELSEWHERE = frozenset(
    {
        "home.show",
        "home.now_running",
        "home.readyz",
        "login.show",
        "api.all_entries",
        "api.explain_permissions",
        "single_sign_on.begin",
        "single_sign_on.callback",
        "ndscheduler.without_slash",
        "results.choices",
        "results.children",
        "extras.api",
        "bennettbot.check",
        "metrics.show",
        "static",
    }
)

#: They are as long as what they give, by their nature, or look at all of it.
WHOLE = frozenset(
    {
        "audit.download",
        "results.download",
        "results.download_list",
        "results.export",
        "api.export",
        "extras.logs",
        "api.verify_audit",
    }
)


#: Only some results or jobs have them.
OF_FEW = frozenset(
    {
        "approvals.show",
        "results.report",
        "api.report",
        "api.approval_of_run",
        "jobs.form_style",
        "jobs.form_script",
        "kept_values.show",
        "api.value",
    }
)


def pages_of_the_map(addresses: Map, known: Known) -> dict[str, str]:
    """Return {what it is: its path} of every page there is. A page of a thing that nobody has made is left out."""
    adapter = addresses.bind("localhost")
    found = {}
    for rule in addresses.iter_rules():
        values = _values(rule, known)
        if "GET" in (rule.methods or ()) and rule.endpoint not in ELSEWHERE | WHOLE and values is not None:
            found[rule.rule] = adapter.build(rule.endpoint, values)
    return dict(sorted(found.items()))


def _values(rule: Rule, known: Known) -> dict[str, Any] | None:
    """Return what stands for the parts of an address; None where there is nothing for one of them."""
    of_part: dict[str, Any] = {"result_id": known.result_id, "user_id": 1}
    if rule.endpoint in ("results.changes", "api.changes"):
        of_part["result_id"] = known.failed_id
    if rule.endpoint in OF_FEW:
        return None
    of_part |= {"group_id": known.group_id, "permission_id": known.rule_id}
    if rule.rule.startswith("/jobs/<job:key>") or rule.rule.startswith("/api/v1/jobs/"):
        of_part |= {"key": known.job, "reference": known.job}
    if rule.rule.startswith("/api/extras/job-results/"):
        of_part["reference"] = str(known.result_id)
    if set(rule.arguments) <= set(of_part):
        return {name: of_part[name] for name in rule.arguments}
    return None


def named_pages(known: Known) -> dict[str, str]:
    """Return {what it is: its path} of the ways to look at the lists and at a long log."""
    log, middle = f"/results/{known.result_id}", known.entries // 2
    return {
        **{f"jobs: {show}": f"/jobs/?show={show}" for show in ("failing", "running", "favourites", "hidden")},
        "jobs: the form of one of many": "/jobs/local/area1/Job15/",
        **{
            f"results: {status}": f"/results/?status={status}"
            for status in ("completed", "failed", "errored", "bad", "warnings", "running", "denied")
        },
        "results: of a job": f"/results/?job={known.job}",
        "results: of a person": "/results/?person=bench",
        "results: of nobody": "/results/?person=nobody",
        "results: started lately": "/results/?started=day",
        "results: ended lately": "/results/?ended=month",
        "results: failed of a job": f"/results/?status=failed&job={known.job}",
        "results: warnings of a person, lately": "/results/?status=warnings&person=bench&started=week",
        "results: text of many": "/results/?q=service",
        "results: text of few": "/results/?q=service+9999",
        "results: text of none": "/results/?q=nowhere+at+all",
        "results: beginning of an id": f"/results/?q=%23{known.result_id.hex[:6]}",
        "results: text, failed": "/results/?q=service+9999&status=failed",
        "results: of an origin": f"/results/?origin={known.result_id}",
        "results: led to by a run": f"/results/?parent={known.result_id}",
        "results: older, from the middle": f"/results/?older={known.older}",
        "results: newer, from the middle": f"/results/?newer={known.older}",
        "log: a result, as it opens": log,
        "log: a result, at the tail": f"{log}?before={known.entries + 1}",
        "log: a line in the middle": f"{log}?line={middle}",
        "log: the window before the middle": f"{log}?before={middle}",
        "log: the window after the middle": f"{log}?after={middle}",
        "log: one level": f"{log}?level=info",
        "log: a level of which there is nothing": f"{log}?level=failure",
        "log: looked through, many": f"{log}?q=answered",
        "log: looked through, few": f"{log}?q={middle}",
        "log: looked through, none": f"{log}?q=nowhere",
        "search across runs": "/results/search?q=answered",
        "jump: one letter": "/jump?q=s",
        "jump: words": "/jump?q=look+after+service+9999",
        "jump: nothing": "/jump?q=nowhere+at+all",
        "audit: of a person": "/admin/audit/?actor=person-7",
        "audit: older": "/admin/audit/?before=5000",
        "API: lines of all runs": "/api/v1/entries?q=answered",
        "API: failed results": "/api/v1/results?status=failed",
        "API: results of a job": f"/api/v1/results?job={known.job}",
        "API: entries, from the middle": f"/api/v1/results/{known.result_id}/entries?after={middle}",
    }
