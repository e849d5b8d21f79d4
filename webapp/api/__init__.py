"""The JSON API, version 1. It knows its caller by the Authorization header alone and never reads a cookie,
so that no foreign page can make a signed-in browser act through it."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask

from store.settings import Settings
from webapp.api import (
    all_entries,
    approvals,
    audit,
    bulk,
    buttons,
    chains,
    channels,
    children,
    comparing,
    data_files,
    deliveries,
    document,
    entries,
    errors,
    groups,
    hooks,
    job_records,
    jobs,
    me,
    notices,
    objects,
    permissions,
    rates,
    reports,
    results,
    schedules,
    sources,
    suppressions,
    tokens,
    users,
    values,
    webhooks,
    workers,
)

#: The number of a row, in the address of it.
KEY = "<int(max=2147483647):key>"

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")
blueprint.before_request(tokens.identify)
blueprint.before_request(rates.count)
blueprint.after_request(errors.never_keep)
blueprint.after_request(rates.tell)


def _add(rule: str, view: Callable[..., Any], method: str = "GET") -> None:
    blueprint.add_url_rule(rule, view.__name__, view, methods=[method])


_run, _schedule = "/approvals/runs/<uuid:result_id>", "/approvals/schedules/<uuid:schedule_id>"
_add("/approvals", approvals.approvals)
_add(_run, approvals.approval_of_run)
_add(f"{_run}/approve", approvals.approve_run, "POST")
_add(f"{_run}/deny", approvals.deny_run, "POST")
_add(f"{_run}/dry-run", approvals.try_run, "POST")
_add(f"{_run}/plan", approvals.plan_run, "POST")
_add(_schedule, approvals.approval_of_schedule)
_add(f"{_schedule}/approve", approvals.approve_schedule, "POST")
_add(f"{_schedule}/deny", approvals.deny_schedule, "POST")
_add(f"{_schedule}/dry-run", approvals.try_schedule, "POST")
_add(f"{_schedule}/plan", approvals.plan_schedule, "POST")
blueprint.add_url_rule("/jobs", "jobs", jobs.jobs)
blueprint.add_url_rule("/jobs/<path:reference>", "job", jobs.job)
blueprint.add_url_rule("/jobs/<path:reference>/run", "run", jobs.run, methods=["POST"])
blueprint.add_url_rule("/jobs/<job:reference>/variables", "variables", jobs.variables)
_add("/jobs/<job:reference>/history", jobs.history)
# Neither can be the id or the class path of a job.
blueprint.add_url_rule("/jobs/refresh", "refresh", job_records.refresh, methods=["POST"])
blueprint.add_url_rule("/jobs/enable-all", "enable_all", job_records.enable_all, methods=["POST"])
# Nothing but a job: an address below one that lost its end must not be taken for that.
_job = "/jobs/<job:reference>"
blueprint.add_url_rule(_job, "change_job", job_records.change_job, methods=["PATCH"])
blueprint.add_url_rule(_job, "delete_job", job_records.delete_job, methods=["DELETE"])
_suppressions = f"{_job}/suppressions"
_add(_suppressions, suppressions.suppressions)
_add(_suppressions, suppressions.create_suppression, "POST")
_add(_suppressions, suppressions.delete_suppressions, "DELETE")
_add(f"{_suppressions}/{KEY}", suppressions.delete_suppression, "DELETE")
blueprint.add_url_rule("/jobs/<job:reference>/values", "values", values.values)
# As it is: a key may begin with a slash, and have two in a row.
_value = "/jobs/<job:reference>/values/<value:key>"
blueprint.add_url_rule(_value, "value", values.value, merge_slashes=False)
blueprint.add_url_rule(_value, "put_value", values.put_value, methods=["PUT"], merge_slashes=False)
blueprint.add_url_rule(_value, "delete_value", values.delete_value, methods=["DELETE"], merge_slashes=False)
blueprint.add_url_rule("/objects", "models", objects.models)
blueprint.add_url_rule("/objects/<model>", "objects", objects.objects)
_object = "/objects/<model>/<key>"
blueprint.add_url_rule(_object, "show_object", objects.show_object)
blueprint.add_url_rule(f"{_object}/changes", "object_changes", objects.object_changes)
blueprint.add_url_rule(f"{_object}/buttons", "object_buttons", objects.object_buttons)
_press = f"{_object}/buttons/<uuid:button_id>"
blueprint.add_url_rule(_press, "press_button", objects.press_button, methods=["POST"])
blueprint.add_url_rule("/results", "results", results.results)
blueprint.add_url_rule("/results/bulk", "bulk", bulk.bulk, methods=["POST"])
blueprint.add_url_rule("/results/<result_id>", "result", results.result)
blueprint.add_url_rule("/results/<result_id>/entries", "entries", entries.entries)
_add("/results/<result_id>/changes", comparing.changes)
_add("/results/<result_id>/export", comparing.export)
_add("/results/<result_id>/children", children.children)
_add("/results/<result_id>/children/again", children.children_again, "POST")
blueprint.add_url_rule("/results/<result_id>/files", "files", results.files)
blueprint.add_url_rule("/results/<result_id>/files/<int:file_id>", "file", results.file)
blueprint.add_url_rule("/results/<result_id>/report", "report", reports.report)
blueprint.add_url_rule("/results/<result_id>/cancel", "cancel", results.cancel, methods=["POST"])
blueprint.add_url_rule("/results/<result_id>", "delete_result", results.delete_result, methods=["DELETE"])
blueprint.add_url_rule("/results/<result_id>/rerun", "rerun", results.rerun, methods=["POST"])
_schedule = "/schedules/<uuid:schedule_id>"
_add("/schedules", schedules.schedules)
_add("/schedules", schedules.create_schedule, "POST")
_add("/schedules/preview", schedules.preview_schedule, "POST")
_add(_schedule, schedules.schedule)
_add(_schedule, schedules.change_schedule, "PATCH")
_add(_schedule, schedules.delete_schedule, "DELETE")
_add(f"{_schedule}/missed", schedules.missed)
_add(f"{_schedule}/pause", schedules.pause_schedule, "POST")
_add(f"{_schedule}/resume", schedules.resume_schedule, "POST")
_add(f"{_schedule}/run", schedules.run_schedule, "POST")
_add(f"{_schedule}/take-over", schedules.take_over_schedule, "POST")
_add(f"{_schedule}/ask", schedules.ask_for_schedule, "POST")
blueprint.add_url_rule("/sources", "sources", sources.sources)
blueprint.add_url_rule("/sources", "create_source", sources.create_source, methods=["POST"])
blueprint.add_url_rule("/sources/<name>", "source", sources.source)
blueprint.add_url_rule("/sources/<name>", "change_source", sources.change_source, methods=["PATCH"])
blueprint.add_url_rule("/sources/<name>", "delete_source", sources.delete_source, methods=["DELETE"])
blueprint.add_url_rule("/sources/<name>/sync", "sync_source", sources.sync_source, methods=["POST"])
blueprint.add_url_rule("/sources/<name>/test", "test_source", sources.test_source, methods=["POST"])
blueprint.add_url_rule("/sources/<name>/syncs", "syncs", sources.syncs)
blueprint.add_url_rule("/workers", "workers", workers.workers)
blueprint.add_url_rule("/workers/<path:name>/drain", "drain", workers.drain, methods=["POST"])
blueprint.add_url_rule("/workers/<path:name>/resume", "keep", workers.keep, methods=["POST"])
blueprint.add_url_rule("/queues", "queues", workers.queues)
_add("/queues/history", workers.queues_history)
blueprint.add_url_rule("/queues/<path:name>/pause", "pause", workers.pause, methods=["POST"])
blueprint.add_url_rule("/queues/<path:name>/resume", "resume", workers.resume, methods=["POST"])
blueprint.add_url_rule("/me", "me", me.me)
blueprint.add_url_rule("/me/tokens", "my_tokens", me.my_tokens)
blueprint.add_url_rule("/me/tokens", "create_my_token", me.create_my_token, methods=["POST"])
blueprint.add_url_rule(f"/me/tokens/{KEY}", "end_my_token", me.end_my_token, methods=["DELETE"])
blueprint.add_url_rule("/users", "users", users.users)
blueprint.add_url_rule("/users", "create_user", users.create_user, methods=["POST"])
blueprint.add_url_rule(f"/users/{KEY}", "person", users.person)
blueprint.add_url_rule(f"/users/{KEY}", "change_user", users.change_user, methods=["PATCH"])
blueprint.add_url_rule(f"/users/{KEY}/link", "make_user_link", users.make_user_link, methods=["POST"])
blueprint.add_url_rule("/groups", "groups", groups.groups)
blueprint.add_url_rule("/groups", "create_group", groups.create_group, methods=["POST"])
blueprint.add_url_rule(f"/groups/{KEY}", "group", groups.group)
blueprint.add_url_rule(f"/groups/{KEY}", "change_group", groups.change_group, methods=["PATCH"])
blueprint.add_url_rule(f"/groups/{KEY}", "delete_group", groups.delete_group, methods=["DELETE"])
blueprint.add_url_rule("/permissions", "permissions", permissions.permissions)
blueprint.add_url_rule("/permissions", "create_permission", permissions.create_permission, methods=["POST"])
blueprint.add_url_rule("/permissions/explain", "explain_permissions", permissions.explain_permissions)
_permission = f"/permissions/{KEY}"
blueprint.add_url_rule(_permission, "permission", permissions.permission)
blueprint.add_url_rule(_permission, "change_permission", permissions.change_permission, methods=["PATCH"])
blueprint.add_url_rule(_permission, "delete_permission", permissions.delete_permission, methods=["DELETE"])
blueprint.add_url_rule("/audit", "audit", audit.audit)
blueprint.add_url_rule("/audit/verify", "verify_audit", audit.verify_audit)
blueprint.add_url_rule("/channels", "channels", channels.channels)
blueprint.add_url_rule("/channels", "create_channel", channels.create_channel, methods=["POST"])
_channel = f"/channels/{KEY}"
blueprint.add_url_rule(_channel, "channel", channels.channel)
blueprint.add_url_rule(_channel, "change_channel", channels.change_channel, methods=["PATCH"])
blueprint.add_url_rule(_channel, "delete_channel", channels.delete_channel, methods=["DELETE"])
blueprint.add_url_rule(
    f"{_channel}/secret", "renew_channel_secret", channels.renew_channel_secret, methods=["POST"]
)
blueprint.add_url_rule(f"{_channel}/try", "try_channel", channels.try_channel, methods=["POST"])
_delivery = "/deliveries/<int(max=9223372036854775807):key>"
blueprint.add_url_rule("/deliveries", "deliveries", deliveries.deliveries)
blueprint.add_url_rule(_delivery, "delivery", deliveries.delivery)
blueprint.add_url_rule(f"{_delivery}/again", "send_again", deliveries.again, methods=["POST"])
blueprint.add_url_rule("/me/notices", "my_notices", notices.my_notices)
blueprint.add_url_rule("/me/notices", "change_my_notices", notices.change_my_notices, methods=["PATCH"])
blueprint.add_url_rule("/me/notice-rules", "my_rules", notices.my_rules)
blueprint.add_url_rule("/me/notice-rules", "create_my_rule", notices.create_my_rule, methods=["POST"])
_rule = f"/me/notice-rules/{KEY}"
blueprint.add_url_rule(_rule, "delete_my_rule", notices.delete_my_rule, methods=["DELETE"])

_add("/entries", all_entries.all_entries)
_file = "/data-files/<name>"
_add("/data-files", data_files.data_files)
_add("/data-files", data_files.upload_data_file, "POST")
_add(_file, data_files.data_file)
_add(_file, data_files.delete_data_file, "DELETE")
_add(f"{_file}/content", data_files.data_file_content)
_add(f"{_file}/content", data_files.replace_data_file, "PUT")
_add("/hooks", hooks.hooks)
_add("/hooks", hooks.create_hook, "POST")
_add("/hooks/<uuid:hook_id>", hooks.hook)
_add("/hooks/<uuid:hook_id>", hooks.change_hook, "PATCH")
_add("/hooks/<uuid:hook_id>", hooks.delete_hook, "DELETE")
_add("/chains", chains.chains)
_add("/chains", chains.create_chain, "POST")
_add("/chains/<uuid:chain_id>", chains.chain)
_add("/chains/<uuid:chain_id>", chains.change_chain, "PATCH")
_add("/chains/<uuid:chain_id>", chains.delete_chain, "DELETE")
_add("/buttons", buttons.buttons)
_add("/buttons", buttons.create_button, "POST")
_add("/buttons/<uuid:button_id>", buttons.button)
_add("/buttons/<uuid:button_id>", buttons.change_button, "PATCH")
_add("/buttons/<uuid:button_id>", buttons.delete_button, "DELETE")
_webhook = "/webhooks/<uuid:webhook_id>"
_delivery = f"{_webhook}/deliveries/<int(max=2147483647):number>"
_add("/webhooks", webhooks.webhooks)
_add("/webhooks", webhooks.create_webhook, "POST")
_add(_webhook, webhooks.webhook)
_add(_webhook, webhooks.change_webhook, "PATCH")
_add(_webhook, webhooks.delete_webhook, "DELETE")
_add(f"{_webhook}/secret", webhooks.renew_webhook_secret, "POST")
_add(f"{_webhook}/test", webhooks.try_webhook, "POST")
_add(f"{_webhook}/deliveries", webhooks.webhook_deliveries)
_add(_delivery, webhooks.webhook_delivery)
_add(f"{_delivery}/again", webhooks.send_delivery_again, "POST")

for _error in errors.ANSWERED:
    blueprint.register_error_handler(_error, errors.answer)


def register(app: Flask, settings: Settings) -> None:
    rates.init_app(app, settings)
    app.register_blueprint(blueprint)
    app.add_url_rule("/api/v1/openapi.json", "openapi", document.serve)
