"""Every address as a stranger, somebody without any permission, somebody who may only look, a member, who runs jobs and
owns runs, and a superuser ask for it, by page and by token.

A route that is not in the table fails a test: whoever adds one says here who may.
"""

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select, update
from werkzeug.routing import Map

from examples.inventory.models import Site, Status
from store.data_files import Folder, sync
from store.lockbox import lock
from store.models import (
    ApiToken,
    Approval,
    Button,
    Chain,
    Channel,
    Delivery,
    FanOut,
    Gathering,
    GitSource,
    Group,
    Hook,
    JobRecord,
    JobResult,
    Permission,
    SavedFilter,
    User,
    Webhook,
    WebhookDelivery,
    WorkerProcess,
    now,
)
from store.secrets import new_token
from store.settings import Settings
from store.timing.recurrence import Recurrence
from store.timing.saved import keep_times
from worker.approvals import ask, digests
from worker.host import this_process
from worker.presence import Presence
from worker.syncs import add

from .conftest import Browser, running, signed_in

#: What a stranger gets: the way to sign in; what is for all; a token is asked for.
SIGN_IN, OPEN, TOKEN = 303, 200, 401

#: {(method, address): (endpoint, stranger, without any permission, a member)}. What changes something as a member is in here, too:
#: each finds the instance as it was. `*` is a result of somebody else's, `+` one of the member's own, and `=`
#: one of somebody else's that waits for an approval; `~` is somebody else's schedule, which does, too; `^` is the id of
#: the job.
JOB, API, EXTRAS = "/jobs/local/net/Ping", "/api/v1", "/api/extras"
NDSCHEDULER = "/ndscheduler/api/v1"
SITE = f"{API}/objects/inventory.site/1"
BUTTON = UUID(int=1)
WEBHOOK = UUID(int=2)
HOOK, CHAIN = UUID(int=3), UUID(int=4)
#: A run of somebody else's that has asked for another one, which failed.
ASKED = UUID(int=5)
#: {noun: (method, path, endpoint) of what there is of each of them in the API}.
OF_TRIGGERS = {
    noun: (
        ("GET", f"{noun}s", f"{noun}s"),
        ("POST", f"{noun}s", f"create_{noun}"),
        ("GET", f"{noun}s/{key}", noun),
        ("PATCH", f"{noun}s/{key}", f"change_{noun}"),
        ("DELETE", f"{noun}s/{key}", f"delete_{noun}"),
    )
    for noun, key in (("hook", HOOK), ("chain", CHAIN), ("button", BUTTON), ("webhook", WEBHOOK))
}
TABLE: dict[tuple[str, str], tuple[str, int, int, int]] = {
    ("GET", "/"): ("home.show", SIGN_IN, 302, 302),
    ("GET", "/welcome"): ("home.welcome", SIGN_IN, 200, 200),
    ("GET", "/now"): ("home.now_running", SIGN_IN, 302, 302),
    ("GET", "/jump"): ("jump.show", SIGN_IN, 200, 200),
    ("GET", "/keys"): ("jump.keys", SIGN_IN, 200, 200),
    ("GET", "/healthz"): ("home.healthz", OPEN, 200, 200),
    ("GET", "/readyz"): ("home.readyz", 503, 503, 503),
    ("GET", "/metrics"): ("metrics.show", TOKEN, TOKEN, TOKEN),
    ("GET", "/static/x/errand.css"): ("static", OPEN, 200, 200),
    ("GET", "/login"): ("login.show", OPEN, 303, 303),
    ("POST", "/login"): ("login.sign_in", 422, 422, 422),
    ("GET", "/login/nonsense"): ("login.use_link", 404, 404, 404),
    ("POST", "/login/nonsense"): ("login.press_link", 404, 404, 404),
    # Nothing where there are no settings for it (tests/webapp/test_single_sign_on.py has what there is with them).
    ("GET", "/login/oidc"): ("single_sign_on.begin", 404, 404, 404),
    ("GET", "/login/oidc/callback?code=x&state=x"): ("single_sign_on.callback", 404, 404, 404),
    ("POST", "/logout"): ("login.sign_out", SIGN_IN, 303, 303),
    # One's own account.
    ("GET", "/account/"): ("account.show", SIGN_IN, 200, 200),
    ("POST", "/account/password"): ("account.password", SIGN_IN, 422, 422),
    ("POST", "/account/sessions/999/end"): ("account.end_session", SIGN_IN, 404, 404),
    ("POST", "/account/sessions/end-others"): ("account.end_others", SIGN_IN, 303, 303),
    ("POST", "/account/tokens"): ("account.create_token", SIGN_IN, 200, 200),
    ("POST", "/account/tokens/999/end"): ("account.end_token", SIGN_IN, 404, 404),
    # Nothing where nobody has set up Slack (see tests/webapp/slack).
    ("POST", "/account/slack/"): ("connect_slack.begin", SIGN_IN, 404, 404),
    ("POST", "/account/slack/999/end"): ("connect_slack.end", SIGN_IN, 404, 404),
    ("POST", "/slack/events"): ("slack.events", 404, 404, 404),
    ("GET", "/account/notifications/"): ("notifications.show", SIGN_IN, 200, 200),
    ("POST", "/account/notifications/"): ("notifications.save", SIGN_IN, 303, 303),
    ("POST", "/account/notifications/seen"): ("notifications.seen", SIGN_IN, 200, 200),
    ("POST", "/account/notifications/tell"): ("notifications.tell", SIGN_IN, 404, 404),
    ("POST", "/account/notifications/rules/999/delete"): ("notifications.forget", SIGN_IN, 404, 404),
    ("POST", "/account/notifications/deliveries/999/again"): ("notifications.again", SIGN_IN, 404, 404),
    ("GET", "/admin/permissions/explain"): ("permissions.explain", SIGN_IN, 200, 200),
    # People.
    **{
        ("GET", f"/admin/{path}"): (endpoint, SIGN_IN, 404, 404)
        for path, endpoint in (
            ("audit/", "audit.index"),
            ("retention/", "retention.show"),
            ("audit/audit.csv", "audit.download"),
            ("notifications/", "channels.index"),
            ("notifications/1", "channels.show"),
            ("notifications/new", "channels.new"),
            ("deliveries/", "deliveries.index"),
            ("deliveries/1", "deliveries.show"),
            ("groups/", "groups.index"),
            ("groups/1", "groups.show"),
            ("groups/new", "groups.new"),
            ("hooks/", "hooks.index"),
            ("buttons/", "buttons.index"),
            (f"buttons/{BUTTON}", "buttons.show"),
            ("buttons/new", "buttons.new"),
            ("chains/", "chains.index"),
            ("webhooks/", "webhook_pages.index"),
            ("webhooks/new", "webhook_pages.new"),
            (f"webhooks/{WEBHOOK}", "webhook_pages.show"),
            (f"webhooks/{WEBHOOK}/edit", "webhook_pages.edit"),
            (f"webhooks/{WEBHOOK}/test", "webhook_deliveries.test"),
            (f"webhooks/{WEBHOOK}/deliveries", "webhook_deliveries.index"),
            (f"webhooks/{WEBHOOK}/deliveries/1", "webhook_deliveries.show"),
            ("hooks/00000000-0000-0000-0000-000000000001", "hooks.show"),
            ("chains/00000000-0000-0000-0000-000000000001", "chains.show"),
            ("hooks/new", "hooks.new"),
            ("chains/new", "chains.new"),
            ("permissions/", "permissions.index"),
            ("permissions/1", "permissions.show"),
            ("permissions/new", "permissions.new"),
            ("users/", "users.index"),
            ("sources/", "sources.index"),
            ("sources/new", "sources.new"),
            ("sources/team", "sources.show"),
            ("sources/team/syncs", "sources.syncs"),
            ("users/1", "users.show"),
            ("users/new", "users.new"),
        )
    },
    **{
        ("POST", f"/admin/{path}"): (endpoint, SIGN_IN, 404, 404)
        for path, endpoint in (
            ("groups/1", "groups.change"),
            ("groups/1/delete", "groups.delete"),
            ("groups/new", "groups.create"),
            ("hooks/00000000-0000-0000-0000-000000000001", "hooks.change"),
            ("chains/00000000-0000-0000-0000-000000000001", "chains.change"),
            ("hooks/00000000-0000-0000-0000-000000000001/delete", "hooks.delete"),
            ("chains/00000000-0000-0000-0000-000000000001/delete", "chains.delete"),
            ("hooks/new", "hooks.create"),
            ("chains/new", "chains.create"),
            ("webhooks/new", "webhook_pages.create"),
            (f"webhooks/{WEBHOOK}/edit", "webhook_pages.change"),
            (f"webhooks/{WEBHOOK}/secret", "webhook_pages.renew_secret"),
            (f"webhooks/{WEBHOOK}/test", "webhook_deliveries.try_it"),
            (f"webhooks/{WEBHOOK}/deliveries/1/again", "webhook_deliveries.again"),
            (f"webhooks/{WEBHOOK}/delete", "webhook_pages.delete"),
            (f"buttons/{BUTTON}", "buttons.change"),
            (f"buttons/{BUTTON}/delete", "buttons.delete"),
            ("buttons/new", "buttons.create"),
            ("permissions/1", "permissions.change"),
            ("permissions/1/delete", "permissions.delete"),
            ("permissions/new", "permissions.create"),
            ("sources/new", "sources.create"),
            ("sources/team", "sources.change"),
            ("sources/team/delete", "sources.delete"),
            ("sources/team/sync", "sources.sync"),
            ("sources/team/test", "sources.test"),
            ("users/1", "users.change"),
            ("users/1/identities/1/unlink", "identities.unlink"),
            ("users/1/identities/allow", "identities.allow"),
            ("users/1/link", "users.link"),
            ("notifications/1", "channels.change"),
            ("notifications/1/delete", "channels.delete"),
            ("notifications/1/secret", "channels.renew_secret"),
            ("notifications/1/try", "channels.try_it"),
            ("notifications/new", "channels.create"),
            ("deliveries/1/again", "deliveries.again"),
            ("users/new", "users.create"),
        )
    },
    # Whoever signs, may.
    ("POST", "/hooks/sources/team"): ("webhooks.sync_source", 401, 401, 401),
    ("POST", f"/hooks/in/{WEBHOOK}"): ("webhooks.receive", 401, 401, 401),
    ("POST", "/bennettbot/github/op/"): ("bennettbot.github", 403, 403, 403),
    ("GET", "/bennettbot/check/"): ("bennettbot.check", OPEN, 200, 200),
    # Jobs.
    ("GET", "/jobs/"): ("jobs.index", SIGN_IN, 200, 200),
    ("POST", "/jobs/refresh"): ("jobs.reload", SIGN_IN, 404, 404),
    ("GET", "/jobs/offered?field=job&job=Ping"): ("jobs.offered", SIGN_IN, 200, 200),
    ("GET", "/jobs/bulk/?act=enable"): ("bulk.confirm", SIGN_IN, 403, 403),
    ("GET", "/jobs/bulk/count"): ("bulk.count", SIGN_IN, 200, 200),
    ("POST", "/jobs/bulk/"): ("bulk.go_on", SIGN_IN, 404, 404),
    ("POST", "/jobs/filters"): ("filters.save", SIGN_IN, 422, 422),
    ("POST", "/jobs/filters/1/delete"): ("filters.forget", SIGN_IN, 404, 404),
    ("POST", "/jobs/filters/default"): ("filters.default", SIGN_IN, 303, 303),
    ("GET", f"{JOB}/"): ("jobs.show", SIGN_IN, 404, 200),
    ("POST", f"{JOB}/"): ("jobs.run", SIGN_IN, 404, 303),
    ("POST", f"{JOB}/inputs"): ("jobs.react", SIGN_IN, 404, 200),
    ("GET", f"{JOB}/choices/site"): ("jobs.choices", SIGN_IN, 404, 200),
    ("GET", f"{JOB}/form.css"): ("jobs.form_style", SIGN_IN, 404, 404),
    ("GET", f"{JOB}/form.js"): ("jobs.form_script", SIGN_IN, 404, 404),
    ("POST", f"{JOB}/star"): ("jobs.star", SIGN_IN, 404, 303),
    ("POST", f"{JOB}/unstar"): ("jobs.unstar", SIGN_IN, 404, 303),
    ("POST", f"{JOB}/enable"): ("jobs.enable", SIGN_IN, 404, 403),
    ("POST", f"{JOB}/disable"): ("jobs.disable", SIGN_IN, 404, 403),
    ("GET", f"{JOB}/settings"): ("job_settings.show", SIGN_IN, 404, 403),
    ("POST", f"{JOB}/settings"): ("job_settings.change", SIGN_IN, 404, 403),
    ("POST", f"{JOB}/settings/reset"): ("job_settings.reset", SIGN_IN, 404, 403),
    ("POST", f"{JOB}/delete"): ("job_settings.delete", SIGN_IN, 404, 403),
    ("GET", f"{JOB}/history"): ("jobs.history", SIGN_IN, 404, 200),
    ("GET", f"{JOB}/values"): ("kept_values.index", SIGN_IN, 404, 200),
    ("GET", f"{JOB}/value?key=x"): ("kept_values.show", SIGN_IN, 404, 404),
    ("GET", f"{JOB}/forget"): ("kept_values.confirm", SIGN_IN, 404, 403),
    ("POST", f"{JOB}/forget"): ("kept_values.delete", SIGN_IN, 404, 403),
    ("GET", f"{JOB}/suppressions"): ("suppressions.index", SIGN_IN, 404, 200),
    ("POST", f"{JOB}/suppressions"): ("suppressions.create", SIGN_IN, 404, 403),
    ("POST", f"{JOB}/suppressions/1/end"): ("suppressions.end", SIGN_IN, 404, 403),
    # Results.
    ("GET", "/results/"): ("results.index", SIGN_IN, 200, 200),
    ("GET", "/results/search?q=ping"): ("search.index", SIGN_IN, 200, 200),
    ("GET", "/results/results.csv"): ("results.download_list", SIGN_IN, 200, 200),
    ("GET", "/results/bulk/"): ("bulk.confirm", SIGN_IN, 404, 404),
    ("GET", "/results/bulk/count"): ("bulk.count", SIGN_IN, 200, 200),
    ("POST", "/results/bulk/"): ("bulk.go_on", SIGN_IN, 404, 404),
    ("GET", "/results/choices/job"): ("results.choices", SIGN_IN, 302, 302),
    ("POST", "/results/filters"): ("filters.save", SIGN_IN, 422, 422),
    ("POST", "/results/filters/1/delete"): ("filters.forget", SIGN_IN, 404, 404),
    ("POST", "/results/filters/default"): ("filters.default", SIGN_IN, 303, 303),
    ("GET", "/results/*"): ("results.show", SIGN_IN, 404, 200),
    ("GET", "/results/*/log"): ("results.poll", SIGN_IN, 404, 200),
    ("GET", "/results/*/log.txt"): ("results.download", SIGN_IN, 404, 200),
    ("GET", "/results/*/log.csv"): ("results.download", SIGN_IN, 404, 200),
    ("GET", "/results/*/output.txt"): ("results.output", SIGN_IN, 404, 200),
    ("GET", "/results/*/return-value.json"): ("results.return_value", SIGN_IN, 404, 200),
    ("GET", "/results/*/files/1"): ("results.file", SIGN_IN, 404, 404),
    ("GET", "/results/*/cancel"): ("results.confirm_cancel", SIGN_IN, 404, 403),
    ("GET", "/results/+/cancel"): ("results.confirm_cancel", SIGN_IN, 404, 200),
    ("POST", "/results/*/cancel"): ("results.cancel", SIGN_IN, 404, 403),
    ("POST", "/results/+/cancel"): ("results.cancel", SIGN_IN, 404, 303),
    ("POST", "/results/*/rerun"): ("results.rerun", SIGN_IN, 404, 303),
    ("POST", "/results/+/pin"): ("results.pin", SIGN_IN, 404, 303),
    ("POST", "/results/+/unpin"): ("results.unpin", SIGN_IN, 404, 303),
    ("POST", "/admin/retention/"): ("retention.change", SIGN_IN, 404, 404),
    # Schedules.
    ("GET", "/schedules/"): ("schedules.index", SIGN_IN, 200, 200),
    ("GET", "/schedules/new"): ("schedules.new", SIGN_IN, 200, 200),
    ("GET", "/schedules/preview"): ("schedules.preview_times", SIGN_IN, 200, 200),
    ("GET", "/schedules/~"): ("schedules.show", SIGN_IN, 404, 200),
    ("GET", "/schedules/~/edit"): ("schedules.edit", SIGN_IN, 404, 403),
    **{
        ("POST", f"/schedules/~/{path}"): (endpoint, SIGN_IN, 404, 403)
        for path, endpoint in (
            ("edit", "schedules.change"),
            ("pause", "schedules.pause"),
            ("resume", "schedules.resume"),
            ("run", "schedules.run"),
            ("take-over", "schedules.take_over"),
            ("ask", "schedules.ask"),
            ("delete", "schedules.delete"),
        )
    },
    # Approvals.
    ("POST", "/approvals/schedules/~"): ("approvals.decide_on_schedule", SIGN_IN, 404, 403),
    ("GET", "/approvals/schedules/~"): ("approvals.show_of_schedule", SIGN_IN, 404, 200),
    ("GET", "/approvals/*"): ("approvals.show", SIGN_IN, 404, 404),
    ("GET", "/approvals/="): ("approvals.show", SIGN_IN, 404, 200),
    ("GET", "/results/*/plan.txt"): ("results.plan", SIGN_IN, 404, 200),
    ("GET", f"/results/{ASKED}/changes"): ("results.changes", SIGN_IN, 404, 200),
    ("GET", "/results/*/export"): ("results.export", SIGN_IN, 404, 200),
    ("GET", "/results/*/report"): ("results.report", SIGN_IN, 404, 404),
    ("GET", f"/results/{ASKED}/children"): ("results.children", SIGN_IN, 404, 302),
    ("POST", f"/results/{ASKED}/children/again"): ("results.children_again", SIGN_IN, 404, 303),
    ("GET", "/approvals/"): ("approvals.index", SIGN_IN, 200, 200),
    ("POST", "/approvals/*"): ("approvals.decide_on", SIGN_IN, 404, 404),
    ("POST", "/approvals/="): ("approvals.decide_on", SIGN_IN, 404, 403),
    # Objects, workers, plugins.
    ("GET", "/objects/"): ("objects.index", SIGN_IN, 200, 200),
    ("GET", "/objects/inventory.site/"): ("objects.search", SIGN_IN, 404, 200),
    ("GET", "/objects/inventory.site/1"): ("objects.show", SIGN_IN, 404, 200),
    ("POST", f"/objects/inventory.site/1/buttons/{BUTTON}"): ("objects.press", SIGN_IN, 404, 303),
    # Data files.
    **{
        (method, f"/data-files/{path}"): (f"data_files.{endpoint}", SIGN_IN, 404, member)
        for method, path, endpoint, member in (
            ("GET", "", "index", 200),
            ("GET", "new", "new", 403),
            ("POST", "new", "create", 403),
            ("GET", "x.lst", "show", 200),
            ("GET", "x.lst/content", "content", 200),
            ("GET", "x.lst/replace", "ask_for_content", 403),
            ("POST", "x.lst/replace", "replace", 403),
            ("GET", "x.lst/delete", "confirm", 403),
            ("POST", "x.lst/delete", "delete", 403),
        )
    },
    ("GET", "/plugins/inventory/"): ("plugins.inventory.index", SIGN_IN, 404, 200),
    ("GET", "/workers/"): ("workers.index", SIGN_IN, 404, 200),
    ("POST", "/workers/w-1/drain"): ("workers.drain", SIGN_IN, 404, 403),
    ("POST", "/workers/w-1/resume"): ("workers.keep", SIGN_IN, 404, 403),
    ("POST", "/workers/queues/default/pause"): ("workers.pause", SIGN_IN, 404, 403),
    ("POST", "/workers/queues/default/resume"): ("workers.resume", SIGN_IN, 404, 403),
    # The API.
    ("GET", f"{API}/openapi.json"): ("openapi", OPEN, 200, 200),
    ("GET", f"{API}/jobs"): ("api.jobs", TOKEN, 200, 200),
    ("GET", f"{API}{JOB}"): ("api.job", TOKEN, 404, 200),
    ("POST", f"{API}{JOB}/run"): ("api.run", TOKEN, 404, 201),
    ("GET", f"{API}{JOB}/history"): ("api.history", TOKEN, 404, 200),
    ("GET", f"{API}{JOB}/variables"): ("api.variables", TOKEN, 404, 200),
    ("PATCH", f"{API}{JOB}"): ("api.change_job", TOKEN, 404, 403),
    ("DELETE", f"{API}{JOB}"): ("api.delete_job", TOKEN, 404, 403),
    ("POST", f"{API}/jobs/refresh"): ("api.refresh", TOKEN, 404, 404),
    ("POST", f"{API}/jobs/enable-all"): ("api.enable_all", TOKEN, 403, 403),
    ("GET", f"{API}{JOB}/values"): ("api.values", TOKEN, 404, 200),
    ("GET", f"{API}{JOB}/suppressions"): ("api.suppressions", TOKEN, 404, 200),
    ("POST", f"{API}{JOB}/suppressions"): ("api.create_suppression", TOKEN, 404, 403),
    ("DELETE", f"{API}{JOB}/suppressions"): ("api.delete_suppressions", TOKEN, 404, 403),
    ("DELETE", f"{API}{JOB}/suppressions/1"): ("api.delete_suppression", TOKEN, 404, 403),
    ("GET", f"{API}{JOB}/values/k"): ("api.value", TOKEN, 404, 404),
    ("PUT", f"{API}{JOB}/values/k"): ("api.put_value", TOKEN, 404, 403),
    ("DELETE", f"{API}{JOB}/values/k"): ("api.delete_value", TOKEN, 404, 403),
    ("GET", f"{API}/objects"): ("api.models", TOKEN, 200, 200),
    ("GET", f"{API}/objects/inventory.site"): ("api.objects", TOKEN, 404, 200),
    ("GET", f"{SITE}"): ("api.show_object", TOKEN, 404, 200),
    ("GET", f"{SITE}/changes"): ("api.object_changes", TOKEN, 404, 200),
    ("GET", f"{SITE}/buttons"): ("api.object_buttons", TOKEN, 404, 200),
    ("POST", f"{SITE}/buttons/{BUTTON}"): ("api.press_button", TOKEN, 404, 201),
    ("GET", f"{API}/results"): ("api.results", TOKEN, 200, 200),
    ("GET", f"{API}/results/*"): ("api.result", TOKEN, 404, 200),
    ("GET", f"{API}/entries?q=ping"): ("api.all_entries", TOKEN, 200, 200),
    ("GET", f"{API}/results/*/entries"): ("api.entries", TOKEN, 404, 200),
    ("GET", f"{API}/results/*/files"): ("api.files", TOKEN, 404, 200),
    ("GET", f"{API}/results/*/files/1"): ("api.file", TOKEN, 404, 404),
    ("GET", f"{API}/results/*/report"): ("api.report", TOKEN, 404, 404),
    ("GET", f"{API}/results/*/changes"): ("api.changes", TOKEN, 404, 404),
    ("GET", f"{API}/results/*/export"): ("api.export", TOKEN, 404, 200),
    ("GET", f"{API}/results/{ASKED}/children"): ("api.children", TOKEN, 404, 200),
    ("POST", f"{API}/results/{ASKED}/children/again"): ("api.children_again", TOKEN, 404, 201),
    ("DELETE", f"{API}/results/*"): ("api.delete_result", TOKEN, 404, 403),
    ("POST", f"{API}/results/bulk"): ("api.bulk", TOKEN, 403, 200),
    ("POST", f"{API}/results/*/rerun"): ("api.rerun", TOKEN, 404, 201),
    ("POST", f"{API}/results/*/cancel"): ("api.cancel", TOKEN, 404, 403),
    ("POST", f"{API}/results/+/cancel"): ("api.cancel", TOKEN, 404, 202),
    ("GET", f"{API}/schedules"): ("api.schedules", TOKEN, 200, 200),
    ("POST", f"{API}/schedules"): ("api.create_schedule", TOKEN, 422, 201),
    ("POST", f"{API}/schedules/preview"): ("api.preview_schedule", TOKEN, 200, 200),
    ("GET", f"{API}/schedules/~"): ("api.schedule", TOKEN, 404, 200),
    ("GET", f"{API}/schedules/~/missed"): ("api.missed", TOKEN, 404, 200),
    ("PATCH", f"{API}/schedules/~"): ("api.change_schedule", TOKEN, 404, 403),
    ("DELETE", f"{API}/schedules/~"): ("api.delete_schedule", TOKEN, 404, 403),
    **{
        ("POST", f"{API}/schedules/~/{path}"): (endpoint, TOKEN, 404, 403)
        for path, endpoint in (
            ("pause", "api.pause_schedule"),
            ("resume", "api.resume_schedule"),
            ("run", "api.run_schedule"),
            ("take-over", "api.take_over_schedule"),
            ("ask", "api.ask_for_schedule"),
        )
    },
    ("GET", f"{API}/approvals"): ("api.approvals", TOKEN, 200, 200),
    ("GET", f"{API}/approvals/runs/="): ("api.approval_of_run", TOKEN, 404, 200),
    ("GET", f"{API}/approvals/schedules/~"): ("api.approval_of_schedule", TOKEN, 404, 200),
    **{
        ("POST", f"{API}/approvals/{path}"): (endpoint, TOKEN, 404, 403)
        for path, endpoint in (
            ("runs/=/approve", "api.approve_run"),
            ("runs/=/deny", "api.deny_run"),
            ("runs/=/dry-run", "api.try_run"),
            ("runs/=/plan", "api.plan_run"),
            ("schedules/~/approve", "api.approve_schedule"),
            ("schedules/~/deny", "api.deny_schedule"),
            ("schedules/~/dry-run", "api.try_schedule"),
            ("schedules/~/plan", "api.plan_schedule"),
        )
    },
    **{
        (method, f"{API}/{path}"): (f"api.{endpoint}", TOKEN, 404, 404)
        for method, path, endpoint in (
            *OF_TRIGGERS["hook"],
            *OF_TRIGGERS["chain"],
            *OF_TRIGGERS["button"],
            *OF_TRIGGERS["webhook"],
            ("POST", f"webhooks/{WEBHOOK}/secret", "renew_webhook_secret"),
            ("POST", f"webhooks/{WEBHOOK}/test", "try_webhook"),
            ("GET", f"webhooks/{WEBHOOK}/deliveries", "webhook_deliveries"),
            ("GET", f"webhooks/{WEBHOOK}/deliveries/1", "webhook_delivery"),
            ("POST", f"webhooks/{WEBHOOK}/deliveries/1/again", "send_delivery_again"),
        )
    },
    **{
        (method, f"{API}/data-files{path}"): (f"api.{endpoint}", TOKEN, 404, member)
        for method, path, endpoint, member in (
            ("GET", "", "data_files", 200),
            ("POST", "", "upload_data_file", 403),
            ("GET", "/x.lst", "data_file", 200),
            ("DELETE", "/x.lst", "delete_data_file", 403),
            ("GET", "/x.lst/content", "data_file_content", 200),
            ("PUT", "/x.lst/content", "replace_data_file", 403),
        )
    },
    ("GET", f"{API}/me"): ("api.me", TOKEN, 200, 200),
    ("GET", f"{API}/me/tokens"): ("api.my_tokens", TOKEN, 200, 200),
    ("POST", f"{API}/me/tokens"): ("api.create_my_token", TOKEN, 201, 201),
    ("GET", f"{API}/me/notices"): ("api.my_notices", TOKEN, 200, 200),
    ("PATCH", f"{API}/me/notices"): ("api.change_my_notices", TOKEN, 200, 200),
    ("GET", f"{API}/me/notice-rules"): ("api.my_rules", TOKEN, 200, 200),
    ("POST", f"{API}/me/notice-rules"): ("api.create_my_rule", TOKEN, 404, 201),
    ("DELETE", f"{API}/me/notice-rules/999"): ("api.delete_my_rule", TOKEN, 404, 404),
    ("DELETE", f"{API}/me/tokens/999"): ("api.end_my_token", TOKEN, 404, 404),
    **{
        (method, f"{API}/{path}"): (f"api.{endpoint}", TOKEN, 404, 404)
        for method, path, endpoint in (
            ("GET", "users", "users"),
            ("POST", "users", "create_user"),
            ("GET", "users/1", "person"),
            ("PATCH", "users/1", "change_user"),
            ("POST", "users/1/link", "make_user_link"),
            ("GET", "groups", "groups"),
            ("POST", "groups", "create_group"),
            ("GET", "groups/1", "group"),
            ("PATCH", "groups/1", "change_group"),
            ("DELETE", "groups/1", "delete_group"),
            ("GET", "permissions", "permissions"),
            ("POST", "permissions", "create_permission"),
            ("GET", "permissions/1", "permission"),
            ("PATCH", "permissions/1", "change_permission"),
            ("DELETE", "permissions/1", "delete_permission"),
            ("GET", "sources/git.team", "source"),
            ("POST", "sources", "create_source"),
            ("PATCH", "sources/git.team", "change_source"),
            ("DELETE", "sources/git.team", "delete_source"),
            ("POST", "sources/git.team/sync", "sync_source"),
            ("POST", "sources/git.team/test", "test_source"),
            ("GET", "sources/git.team/syncs", "syncs"),
            ("GET", "channels", "channels"),
            ("POST", "channels", "create_channel"),
            ("GET", "channels/1", "channel"),
            ("PATCH", "channels/1", "change_channel"),
            ("DELETE", "channels/1", "delete_channel"),
            ("POST", "channels/1/secret", "renew_channel_secret"),
            ("POST", "channels/1/try", "try_channel"),
            ("GET", "deliveries", "deliveries"),
            ("GET", "deliveries/1", "delivery"),
            ("POST", "deliveries/1/again", "send_again"),
            ("GET", "audit", "audit"),
            ("GET", "audit/verify", "verify_audit"),
        )
    },
    ("GET", f"{API}/permissions/explain?action=view&kind=user"): ("api.explain_permissions", TOKEN, 200, 200),
    ("GET", f"{API}/sources"): ("api.sources", TOKEN, 404, 404),
    ("GET", f"{API}/workers"): ("api.workers", TOKEN, 404, 200),
    ("POST", f"{API}/workers/w-1/drain"): ("api.drain", TOKEN, 404, 403),
    ("POST", f"{API}/workers/w-1/resume"): ("api.keep", TOKEN, 404, 403),
    ("GET", f"{API}/queues"): ("api.queues", TOKEN, 404, 200),
    ("GET", f"{API}/queues/history"): ("api.queues_history", TOKEN, 404, 200),
    ("POST", f"{API}/queues/default/pause"): ("api.pause", TOKEN, 404, 403),
    ("POST", f"{API}/queues/default/resume"): ("api.resume", TOKEN, 404, 403),
    # The API of ndscheduler; `%` is a schedule of bob's whose times are in its words.
    **{
        (method, f"{NDSCHEDULER}/{path}"): (f"ndscheduler.{endpoint}", TOKEN, nothing, member)
        for method, path, endpoint, nothing, member in (
            ("GET", "jobs", "list_jobs", 200, 200),
            ("POST", "jobs", "add_job", 403, 201),
            ("GET", "jobs/%", "show_job", 400, 200),
            ("PUT", "jobs/%", "modify_job", 400, 403),
            ("DELETE", "jobs/%", "delete_job", 400, 403),
            ("PATCH", "jobs/%", "pause_job", 400, 403),
            ("OPTIONS", "jobs/%", "resume_job", 400, 403),
            ("GET", "executions", "list_executions", 200, 200),
            ("GET", "executions/x", "show_execution", 400, 400),
            ("POST", "executions/%", "run_job", 400, 403),
            ("DELETE", "executions/x", "stop_execution", 501, 501),
            ("GET", "logs", "list_logs", 404, 404),
            ("GET", "files", "list_files", 404, 200),
            ("POST", "files", "add_file", 404, 403),
            ("DELETE", "files/x.lst", "delete_file", 404, 403),
            ("OPTIONS", "files/x.lst", "has_file", 404, 200),
            ("GET", "jobs/", "without_slash", 301, 301),
            *(
                (each, "jobs/", "without_slash", 404, 404)
                for each in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS")
            ),
        )
    },
    # The API of Nautobot.
    ("GET", "/api/"): ("extras.api", TOKEN, 200, 200),
    ("GET", "/api/status/"): ("extras.status", TOKEN, 200, 200),
    ("GET", f"{EXTRAS}/"): ("extras.extras", TOKEN, 200, 200),
    ("GET", f"{EXTRAS}/jobs/"): ("extras.jobs", TOKEN, 200, 200),
    ("PATCH", f"{EXTRAS}/jobs/"): ("extras.change_jobs", TOKEN, 404, 403),
    ("DELETE", f"{EXTRAS}/jobs/"): ("extras.delete_jobs", TOKEN, 404, 403),
    ("GET", f"{EXTRAS}/jobs/^/"): ("extras.job", TOKEN, 404, 200),
    ("PATCH", f"{EXTRAS}/jobs/^/"): ("extras.change_job", TOKEN, 404, 403),
    ("DELETE", f"{EXTRAS}/jobs/^/"): ("extras.delete_job", TOKEN, 404, 403),
    ("GET", f"{EXTRAS}/jobs/^/variables/"): ("extras.variables", TOKEN, 404, 200),
    ("POST", f"{EXTRAS}/jobs/^/run/"): ("extras.run", TOKEN, 404, 201),
    ("GET", f"{EXTRAS}{JOB}/"): ("extras.job_class", TOKEN, 404, 200),
    ("POST", f"{EXTRAS}{JOB}/run/"): ("extras.run_class", TOKEN, 404, 200),
    ("GET", f"{EXTRAS}/job-results/"): ("extras.job_results", TOKEN, 200, 200),
    ("DELETE", f"{EXTRAS}/job-results/"): ("extras.delete_results", TOKEN, 404, 403),
    ("GET", f"{EXTRAS}/job-results/*/"): ("extras.job_result", TOKEN, 404, 200),
    ("DELETE", f"{EXTRAS}/job-results/*/"): ("extras.delete_result", TOKEN, 404, 403),
    ("GET", f"{EXTRAS}/job-results/*/logs/"): ("extras.logs", TOKEN, 404, 200),
    ("GET", f"{EXTRAS}/job-logs/"): ("extras.job_logs", TOKEN, 200, 200),
    ("GET", f"{EXTRAS}/job-logs/1/"): ("extras.job_log", TOKEN, 404, 404),
    ("GET", f"{EXTRAS}/scheduled-jobs/"): ("extras.scheduled_jobs", TOKEN, 200, 200),
    ("GET", f"{EXTRAS}/scheduled-jobs/~/"): ("extras.scheduled_job", TOKEN, 404, 200),
    ("GET", f"{EXTRAS}/scheduled-jobs/=/"): ("extras.scheduled_job", TOKEN, 404, 200),
    **{
        ("POST", f"{EXTRAS}/scheduled-jobs/{which}/{act}/"): (endpoint, TOKEN, 404, 403)
        for which in ("~", "=")
        for act, endpoint in (
            ("approve", "extras.approve"),
            ("deny", "extras.deny"),
            ("dry-run", "extras.dry_run"),
        )
    },
}

#: What is for whoever has a token, be it for some jobs only.
FOR_TOKENS = ("/api/", "/api/status/", f"{EXTRAS}/")

#: What somebody gets who may see everything and do nothing, where that is not what a member gets; the same of a superuser.
VIEWER: dict[tuple[str, str], int] = {
    ("POST", f"{JOB}/"): 403,
    ("GET", "/results/+/cancel"): 403,
    ("POST", "/results/+/cancel"): 403,
    ("POST", "/results/+/pin"): 403,
    ("POST", "/results/+/unpin"): 403,
    ("POST", "/results/*/rerun"): 403,
    ("POST", f"{API}/results/*/rerun"): 403,
    ("POST", f"/results/{ASKED}/children/again"): 403,
    ("POST", f"{API}/results/{ASKED}/children/again"): 403,
    ("POST", f"{API}/results/bulk"): 403,
    ("POST", f"/objects/inventory.site/1/buttons/{BUTTON}"): 403,
    ("POST", f"{API}{JOB}/run"): 403,
    ("POST", f"{API}/schedules"): 403,
    ("POST", f"{NDSCHEDULER}/jobs"): 403,
    ("POST", f"{SITE}/buttons/{BUTTON}"): 403,
    ("POST", f"{API}/results/+/cancel"): 403,
    ("POST", f"{EXTRAS}/jobs/^/run/"): 403,
    ("POST", f"{EXTRAS}{JOB}/run/"): 403,
}
ADMIN: dict[tuple[str, str], int] = {
    ("GET", "/jobs/bulk/?act=enable"): 200,
    ("GET", "/metrics"): TOKEN,
    ("POST", "/admin/retention/"): 303,
    ("POST", "/approvals/="): 303,
    ("POST", "/approvals/schedules/~"): 303,
    ("GET", "/schedules/~/edit"): 200,
    ("POST", "/schedules/~/edit"): 422,
    ("POST", "/schedules/~/pause"): 303,
    ("POST", "/schedules/~/resume"): 303,
    ("POST", "/schedules/~/run"): 303,
    ("POST", "/schedules/~/take-over"): 303,
    ("POST", "/schedules/~/ask"): 303,
    ("POST", "/schedules/~/delete"): 303,
    ("GET", "/admin/audit/"): 200,
    ("GET", "/admin/retention/"): 200,
    ("GET", "/admin/audit/audit.csv"): 200,
    ("GET", "/admin/groups/"): 200,
    ("GET", "/admin/groups/1"): 200,
    ("GET", "/admin/groups/new"): 200,
    ("GET", "/admin/hooks/"): 200,
    ("GET", "/admin/chains/"): 200,
    ("GET", "/admin/buttons/"): 200,
    ("GET", "/admin/webhooks/"): 200,
    ("GET", "/admin/webhooks/new"): 200,
    ("POST", "/admin/webhooks/new"): 422,
    **{
        ("GET", f"/admin/webhooks/{WEBHOOK}{path}"): 200
        for path in ("", "/edit", "/test", "/deliveries", "/deliveries/1")
    },
    **{
        ("POST", f"/admin/webhooks/{WEBHOOK}/{path}"): status
        for path, status in (
            ("edit", 422),
            ("secret", 200),
            ("test", 200),
            ("deliveries/1/again", 303),
            ("delete", 303),
        )
    },
    ("GET", "/admin/buttons/new"): 200,
    ("GET", f"/admin/buttons/{BUTTON}"): 200,
    ("POST", "/admin/buttons/new"): 422,
    ("POST", f"/admin/buttons/{BUTTON}"): 422,
    ("POST", f"/admin/buttons/{BUTTON}/delete"): 303,
    ("GET", "/admin/hooks/new"): 200,
    ("GET", "/admin/chains/new"): 200,
    ("POST", "/admin/hooks/new"): 422,
    ("POST", "/admin/chains/new"): 422,
    ("GET", "/admin/permissions/"): 200,
    ("GET", "/admin/permissions/1"): 200,
    ("GET", "/admin/permissions/new"): 200,
    ("GET", "/admin/sources/"): 200,
    ("GET", "/admin/sources/new"): 200,
    ("GET", "/admin/sources/team"): 200,
    ("GET", "/admin/sources/team/syncs"): 303,
    ("GET", "/admin/users/"): 200,
    ("GET", "/admin/users/1"): 200,
    ("GET", "/admin/users/new"): 200,
    ("POST", "/admin/groups/1"): 422,
    ("POST", "/admin/groups/1/delete"): 303,
    ("POST", "/admin/groups/new"): 422,
    ("POST", "/admin/permissions/1"): 422,
    ("POST", "/admin/permissions/1/delete"): 303,
    ("POST", "/admin/permissions/new"): 422,
    ("POST", "/admin/sources/new"): 422,
    ("POST", "/admin/sources/team"): 422,
    ("POST", "/admin/sources/team/delete"): 303,
    ("POST", "/admin/sources/team/sync"): 303,
    ("POST", "/admin/sources/team/test"): 303,
    ("POST", "/admin/users/1"): 303,
    ("POST", "/admin/users/1/identities/allow"): 303,
    ("POST", "/admin/users/1/link"): 200,
    ("POST", "/admin/users/new"): 422,
    ("GET", "/admin/notifications/"): 200,
    ("GET", "/admin/notifications/1"): 200,
    ("GET", "/admin/notifications/new"): 200,
    ("POST", "/admin/notifications/1"): 422,
    ("POST", "/admin/notifications/1/delete"): 303,
    ("POST", "/admin/notifications/1/secret"): 200,
    ("POST", "/admin/notifications/1/try"): 303,
    ("POST", "/admin/notifications/new"): 422,
    ("GET", "/admin/deliveries/"): 200,
    ("GET", "/admin/deliveries/1"): 200,
    ("POST", "/admin/deliveries/1/again"): 303,
    **{
        (method, f"{NDSCHEDULER}/{path}"): status
        for method, path, status in (
            ("PUT", "jobs/%", 200),
            ("DELETE", "jobs/%", 200),
            ("PATCH", "jobs/%", 200),
            ("OPTIONS", "jobs/%", 200),
            # bob, as whom it runs, may not.
            ("POST", "executions/%", 403),
            ("GET", "logs", 200),
            ("POST", "files", 400),
            ("DELETE", "files/x.lst", 200),
        )
    },
    ("GET", "/data-files/new"): 200,
    ("POST", "/data-files/new"): 422,
    ("GET", "/data-files/x.lst/replace"): 200,
    ("POST", "/data-files/x.lst/replace"): 422,
    ("GET", "/data-files/x.lst/delete"): 200,
    ("POST", "/data-files/x.lst/delete"): 303,
    ("POST", f"{API}/data-files"): 415,
    ("PUT", f"{API}/data-files/x.lst/content"): 415,
    ("DELETE", f"{API}/data-files/x.lst"): 204,
    ("POST", "/jobs/refresh"): 303,
    ("POST", f"{JOB}/enable"): 303,
    ("POST", f"{JOB}/disable"): 303,
    ("GET", f"{JOB}/settings"): 200,
    ("POST", f"{JOB}/settings"): 303,
    ("POST", f"{JOB}/settings/reset"): 303,
    ("POST", f"{JOB}/delete"): 303,
    ("GET", f"{JOB}/forget"): 200,
    ("POST", f"{JOB}/forget"): 404,
    ("POST", f"{JOB}/suppressions"): 422,
    ("POST", f"{JOB}/suppressions/1/end"): 404,
    ("POST", f"{API}{JOB}/suppressions"): 201,
    ("DELETE", f"{API}{JOB}/suppressions"): 200,
    ("DELETE", f"{API}{JOB}/suppressions/1"): 404,
    ("GET", "/results/*/cancel"): 200,
    ("POST", "/results/*/cancel"): 303,
    ("POST", "/workers/w-1/drain"): 303,
    ("POST", "/workers/w-1/resume"): 303,
    ("POST", "/workers/queues/default/pause"): 303,
    ("POST", "/workers/queues/default/resume"): 303,
    ("PATCH", f"{API}{JOB}"): 200,
    ("DELETE", f"{API}{JOB}"): 409,
    ("POST", f"{API}/jobs/refresh"): 200,
    ("POST", f"{API}/jobs/enable-all"): 200,
    ("PUT", f"{API}{JOB}/values/k"): 201,
    ("DELETE", f"{API}{JOB}/values/k"): 404,
    ("POST", f"{API}/results/*/cancel"): 202,
    ("PATCH", f"{API}/schedules/~"): 200,
    ("DELETE", f"{API}/schedules/~"): 204,
    **{
        ("POST", f"{API}/schedules/~/{path}"): status
        for path, status in (
            ("pause", 200),
            ("resume", 200),
            # bob, as whom it runs, may not.
            ("run", 403),
            ("take-over", 200),
            ("ask", 200),
        )
    },
    **{
        ("POST", f"{API}/approvals/{path}"): status
        for path, status in (
            ("runs/=/approve", 200),
            ("runs/=/deny", 200),
            ("runs/=/dry-run", 201),
            # The job makes none.
            ("runs/=/plan", 422),
            ("schedules/~/approve", 200),
            ("schedules/~/deny", 200),
            ("schedules/~/dry-run", 201),
            ("schedules/~/plan", 422),
        )
    },
    **{("GET", f"{API}/{noun}s"): 200 for noun in OF_TRIGGERS},
    # Nothing in these bodies fits.
    **{("POST", f"{API}/{noun}s"): 422 for noun in OF_TRIGGERS},
    **{
        (method, f"{API}/{path}"): status
        for method, path, status in (
            ("GET", f"hooks/{HOOK}", 200),
            ("PATCH", f"hooks/{HOOK}", 200),
            ("DELETE", f"hooks/{HOOK}", 204),
            ("GET", f"chains/{CHAIN}", 200),
            ("PATCH", f"chains/{CHAIN}", 200),
            ("DELETE", f"chains/{CHAIN}", 204),
            ("GET", f"buttons/{BUTTON}", 200),
            ("PATCH", f"buttons/{BUTTON}", 200),
            ("DELETE", f"buttons/{BUTTON}", 204),
            ("GET", f"webhooks/{WEBHOOK}", 200),
            ("PATCH", f"webhooks/{WEBHOOK}", 200),
            ("DELETE", f"webhooks/{WEBHOOK}", 204),
            ("POST", f"webhooks/{WEBHOOK}/secret", 200),
            ("POST", f"webhooks/{WEBHOOK}/test", 200),
            ("GET", f"webhooks/{WEBHOOK}/deliveries", 200),
            ("GET", f"webhooks/{WEBHOOK}/deliveries/1", 200),
            # Nobody signed it.
            ("POST", f"webhooks/{WEBHOOK}/deliveries/1/again", 409),
        )
    },
    **{
        (method, f"{API}/{path}"): status
        for method, path, status in (
            ("GET", "users", 200),
            ("POST", "users", 201),
            ("GET", "users/1", 200),
            ("PATCH", "users/1", 200),
            ("POST", "users/1/link", 200),
            ("GET", "groups", 200),
            ("POST", "groups", 201),
            ("GET", "groups/1", 200),
            ("PATCH", "groups/1", 200),
            ("DELETE", "groups/1", 204),
            ("GET", "permissions", 200),
            ("POST", "permissions", 201),
            ("GET", "permissions/1", 200),
            ("PATCH", "permissions/1", 200),
            ("DELETE", "permissions/1", 204),
            ("GET", "sources/git.team", 200),
            ("POST", "sources", 201),
            ("PATCH", "sources/git.team", 200),
            ("DELETE", "sources/git.team", 204),
            ("POST", "sources/git.team/sync", 202),
            ("POST", "sources/git.team/test", 202),
            ("GET", "sources/git.team/syncs", 200),
            ("GET", "channels", 200),
            ("POST", "channels", 422),
            ("GET", "channels/1", 200),
            ("PATCH", "channels/1", 200),
            ("DELETE", "channels/1", 204),
            ("POST", "channels/1/secret", 200),
            ("POST", "channels/1/try", 202),
            ("GET", "deliveries", 200),
            ("GET", "deliveries/1", 200),
            ("POST", "deliveries/1/again", 200),
            ("GET", "audit", 200),
            ("GET", "audit/verify", 200),
        )
    },
    ("GET", f"{API}/sources"): 200,
    ("POST", f"{API}/workers/w-1/drain"): 200,
    ("POST", f"{API}/workers/w-1/resume"): 200,
    ("POST", f"{API}/queues/default/pause"): 200,
    ("POST", f"{API}/queues/default/resume"): 200,
    ("PATCH", f"{EXTRAS}/jobs/"): 200,
    ("PATCH", f"{EXTRAS}/jobs/^/"): 200,
    # It is installed; the run has not ended.
    ("DELETE", f"{EXTRAS}/jobs/"): 409,
    ("DELETE", f"{EXTRAS}/jobs/^/"): 409,
    ("DELETE", f"{API}/results/*"): 409,
    ("DELETE", f"{EXTRAS}/job-results/"): 409,
    ("DELETE", f"{EXTRAS}/job-results/*/"): 409,
    **{
        ("POST", f"{EXTRAS}/scheduled-jobs/{which}/{act}/"): 200
        for which in ("~", "=")
        for act in ("approve", "deny", "dry-run")
    },
}


@pytest.fixture
def app(inventory_settings: Any) -> Iterator[Flask]:
    for app in running(inventory_settings):
        with app.extensions["errand"].data.run_session(wait_seconds=5, on_wait=lambda: None) as session:
            active = Status(name="Active", slug="active")
            active.save()
            Site(name="Bern", slug="bern", status=active).save()
            session.commit()
        yield app


@pytest.fixture
def fill(
    db: Any,
    cast: Any,
    make_job: Any,
    make_result: Any,
    make_schedule: Any,
    platform: Any,
    settings: Any,
) -> Callable[[str], str]:
    """Make one of everything; carol has no permission, and alice those of everybody. Returns how to fill in an address."""
    variable = {
        "name": "site",
        "type": "ObjectVar",
        "model": "inventory.site",
        "label": "Site",
        "description": "",
        "required": False,
        "default": None,
    }
    job = make_job("Ping", class_path="local/net/Ping", variables=[variable])
    inputs = [{**variable, "name": name, "type": "StringVar"} for name in ("object_pk", "object_model_name")]
    press = make_job("Press", receives="button", variables=inputs)
    hears, then = make_job("Hears", receives="hook"), make_job("Then")
    bobs = make_result(job, "running", username="bob", data={"site": None}, return_value=1, output="x")
    own = make_result(job, "running", username="alice", data={"site": None})
    of_bob = {"username": "bob", "data": {"site": None}}
    make_result(job, "failed", id=ASKED, gathers="ready", **of_bob)
    make_result(job, "failed", parent_id=ASKED, map_number=1, origin="map", origin_id=ASKED, **of_bob)
    with db.begin():
        everyone = db.scalars(select(Group).where(Group.everyone)).one()
        everyone.everyone, everyone.members = False, [cast["alice"]]
        viewer = User(username="vera")
        for kind in ("job", "result", "schedule", "object", "worker", "datafile"):
            db.add(Permission(name=f"See {kind}", kind=kind, actions=["view"], users=[viewer]))
        Folder(settings).write("x.lst", b"a\n", new=True)
        add(db, GitSource(slug="team", url="https://example.com/team/jobs.git"))
        db.add(
            Button(id=BUTTON, name="Press", object_types=["inventory.site"], text="Press", job_id=press.id)
        )
        db.add(Gathering(result_id=ASKED, method="", size=1, total=1))
        db.add(FanOut(id=ASKED, result_id=ASKED, class_path=job.class_path, stop_cause=""))
        db.add(Hook(id=HOOK, name="H", object_types=["inventory.site"], on_create=True, job_id=hears.id))
        db.add(Chain(id=CHAIN, name="C", job_id=job.id, next_job_id=then.id))
        box = lock(settings.secret_key, {"secret": "x"})
        db.add(Webhook(id=WEBHOOK, name="In", job_id=job.id, username="alice", box=box))
        db.flush()
        db.add(WebhookDelivery(webhook_id=WEBHOOK, outcome="unsigned", status=401))
        db.add(SavedFilter(user_id=cast["bob"].id, name="his", arguments={}))
        db.add(Channel(name="ops", kind="webhook", box=lock(settings.secret_key, {"url": "https://x"})))
        db.add(
            Delivery(
                event="ended",
                event_key="x",
                target="mail:1",
                via="mail",
                receiver="x",
                title="x",
                state="sent",
            )
        )
    sync(settings, platform.engine)
    Presence(platform, kind="worker", name="w-1", queues=["default"], process=this_process()).enter()
    with db.begin():
        # Nobody beats for it, and the table is long.
        db.execute(update(WorkerProcess).values(seen_at=now() + timedelta(hours=1)))
    waiting = make_result(job, "awaiting_approval", username="bob", data={"site": None})
    with db.begin():
        ask(db, db.get_one(JobResult, waiting.id), db.get_one(JobRecord, job.id))
    schedule = make_schedule(job, username="bob", data={"site": None})
    with db.begin():
        db.add(Approval(schedule_id=schedule.id, asked=digests(schedule, job)))
    bots = make_schedule(then, username="bob")
    with db.begin():
        keep_times(bots, Recurrence("custom", now(), cron="minute=5", dialect="bots"))
    ids = {"%": bots.id.hex, "*": bobs.id, "+": own.id, "=": waiting.id, "~": schedule.id, "^": job.id}
    return lambda path: re.sub(r"[*+~^%]|(?<=/)=", lambda sign: str(ids[sign[0]]), path)


class Visitors:
    """All who come, each with tokens and one session. To be made once: it takes as long as some visits."""

    def __init__(self, app: Flask, db: Any, cast: Any) -> None:
        with db.begin():
            vera = db.scalars(select(User).where(User.username == "vera")).one()
        self.app = app
        self.root = cast["root"]
        self.users = (cast["carol"], vera, cast["alice"], self.root)
        # One of each first that may only read, and one for other jobs: they change nothing.
        kinds: tuple[dict[str, Any], ...] = ({"read_only": True}, {"class_paths": ["local/x/*"]}, {})
        self.tokens = {user: [token_of(db, user, **limits) for limits in kinds] for user in self.users}
        self._browsers = [Browser(app.test_client()), *(signed_in(app, db, user) for user in self.users)]
        for browser in self._browsers:
            browser.token()

    def browsers(self) -> list[Browser]:
        """A stranger's, and one of each user: as they were before any of them went anywhere."""
        return [browser.again(self.app) for browser in self._browsers]


def token_of(db: Any, user: Any, **limits: Any) -> dict[str, str]:
    plain, token_hash = new_token("errand")
    with db.begin():
        values = {"prefix": plain[:12], "token_hash": token_hash, "last_used_at": now(), **limits}
        db.add(ApiToken(user_id=user.id, **values))
    return {"Authorization": f"Token {plain}"}


def test_every_route_is_in_the_table(app: Flask, fill: Callable[[str], str]):
    rules: Map = app.url_map
    adapter = rules.bind("localhost")
    for (method, path), (endpoint, *_) in TABLE.items():
        assert adapter.match(fill(path).partition("?")[0], method=method)[0] == endpoint, path
    assert {endpoint for endpoint, *_ in TABLE.values()} == {rule.endpoint for rule in rules.iter_rules()}
    asked = {(endpoint, method) for (method, _), (endpoint, *_) in TABLE.items()}
    there = {
        (rule.endpoint, method)
        for rule in rules.iter_rules()
        for method in (rule.methods or set()) - ({"HEAD", "OPTIONS"} if by_itself(rule) else {"HEAD"})
    }
    assert asked == there


def by_itself(rule: Any) -> bool:
    """Tell whether Flask answers OPTIONS."""
    return bool(rule.provide_automatic_options)


LOOKING = [key for key in TABLE if key[0] == "GET"]
DOING = [key for key in TABLE if key[0] != "GET"]


def test_who_sees_what(
    app: Flask, db: Any, cast: Any, fill: Callable[[str], str], subtests: Any, whole: bool
):
    fill("/")
    visitors = Visitors(app, db, cast)
    # In one instance: whoever only looks changes nothing.
    for method, path in LOOKING:
        with subtests.test(path):
            check(visitors, fill, method, path, whole)


def test_who_may_do_what(
    app: Flask,
    db: Any,
    cast: Any,
    fill: Callable[[str], str],
    settings: Settings,
    subtests: Any,
    whole: bool,
):
    fill("/")
    visitors = Visitors(app, db, cast)
    # In one instance, too, which each finds as the first one did.
    with (
        closing(sqlite3.connect(settings.instance / "errand.db")) as now,
        closing(sqlite3.connect("")) as first,
    ):
        now.execute("PRAGMA synchronous = OFF")
        now.backup(first)
        for method, path in DOING:
            with subtests.test(f"{method} {path}"):
                check(visitors, fill, method, path, whole)
            first.backup(now)
            Folder(settings).write("x.lst", b"a\n", new=False)


#: What calls of the API need to come as far as the question who asks.
BODIES: dict[tuple[str, str], Any] = {
    ("PUT", f"{API}{JOB}/values/k"): {"value": 1},
    ("POST", f"{API}{JOB}/suppressions"): {"ends_at": f"{now() + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"},
    ("POST", f"{API}/results/bulk"): {"action": "cancel", "ids": []},
    ("POST", f"{API}/users"): {"username": "dave"},
    ("POST", f"{API}/groups"): {"name": "New"},
    ("POST", f"{API}/channels"): {"name": "New", "kind": "slack"},
    ("POST", f"{API}/me/notice-rules"): {"about": "job", "subject": "local/net/Ping", "ways": ["mail"]},
    ("POST", f"{API}/sources"): {"slug": "new", "url": "https://example.com/new/jobs.git"},
    ("POST", f"{API}/permissions"): {"name": "New", "actions": ["view"]},
    ("PATCH", f"{EXTRAS}/jobs/"): [{"id": "^", "enabled": True}],
    ("DELETE", f"{EXTRAS}/jobs/"): [{"id": "^"}],
    ("PATCH", f"{EXTRAS}/jobs/^/"): {"enabled": True},
    ("DELETE", f"{EXTRAS}/job-results/"): [{"id": "*"}],
    ("POST", f"{API}/schedules"): {"job": "local/net/Ping", "interval": "cron", "cron": "0 6 1-31 1-12 0-6"},
    ("POST", f"{NDSCHEDULER}/jobs"): {"name": "x", "job_class_string": "net.Ping", "minute": "5"},
    ("PUT", f"{NDSCHEDULER}/jobs/%"): {"name": "x"},
    ("POST", f"{API}/schedules/preview"): {"interval": "cron", "cron": "0 6 1-31 1-12 0-6"},
    ("PATCH", f"{API}/schedules/~"): {"missed": "all"},
    **{
        ("POST", f"{API}/{noun}s"): {"name": "x", "job": "local/net/No", **more}
        for noun, more in {
            "hook": {"object_types": [], "actions": []},
            "chain": {"next_job": "local/net/No"},
            "button": {"object_types": [], "text": "x"},
            "webhook": {},
        }.items()
    },
    ("POST", f"{API}/approvals/runs/=/deny"): {"comment": "No."},
    ("POST", f"{API}/approvals/schedules/~/deny"): {"comment": "No."},
}

#: What only looks, though it is no GET: a token for reading may.
LOOKS = {
    ("POST", f"{API}/schedules/preview"),
    ("OPTIONS", f"{NDSCHEDULER}/files/x.lst"),
    ("DELETE", f"{NDSCHEDULER}/executions/x"),
    *((method, f"{NDSCHEDULER}/jobs/") for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS")),
}


def nothing_of(answer: Any) -> bool:
    """Tell whether an answer of ndscheduler's API has nothing of what there is."""
    return answer.status_code in (301, 400, 501) or [] in answer.json.values()


def says_nothing(answer: Any, path: str) -> bool:
    """Tell whether an answer, to a token for other jobs, has nothing of this job."""
    return (
        answer.status_code in (403, 404)
        or path.startswith((f"{API}/data-files", f"{NDSCHEDULER}/files"))
        or (path.startswith(NDSCHEDULER) and nothing_of(answer))
        or answer.json.get("results") == []
        or list(answer.json.get("errors", ())) == ["job"]
        or path.startswith(f"{API}/objects")
        or path.endswith(("openapi.json", "/bulk", "/preview", "/me", "kind=user"))
        or path in FOR_TOKENS
    )


#: What is said to whom it is no business of.
REFUSALS = (403, 404)


def check(visitors: Visitors, fill: Callable[[str], str], method: str, path: str, whole: bool):
    _, stranger, nothing, member = TABLE[method, path]
    viewer, admin = (table.get((method, path), member) for table in (VIEWER, ADMIN))
    address = fill(path)
    if path.startswith(("/api/", "/ndscheduler/")):
        client = visitors.app.test_client()
        sent = BODIES.get((method, path))
        # Read to its end: what is sent in pieces holds its request.
        body = {"buffered": True} | ({} if sent is None else {"json": json.loads(fill(json.dumps(sent)))})
        assert client.open(address, method=method, **body).status_code == stranger
        for user, expected in zip(visitors.users, (nothing, viewer, member, admin), strict=True):
            only_reads, for_others, unlimited = visitors.tokens[user]
            # What somebody may not do at all no token with limits lets them do.
            if expected not in REFUSALS or whole:
                changes = method != "GET" and (method, path) not in LOOKS
                own = path.startswith(f"{API}/me/")
                does = changes and (expected < 300 or own or user is visitors.root)
                limited = client.open(address, method=method, headers=only_reads, **body)
                assert limited.status_code == (403 if does else expected), limited.text
                elsewhere = client.open(address, method=method, headers=for_others, **body)
                assert says_nothing(elsewhere, path)
            answer = client.open(address, method=method, headers=unlimited, **body)
            assert answer.status_code == expected, answer.text
        return
    for browser, expected in zip(
        visitors.browsers(), (stranger, nothing, viewer, member, admin), strict=True
    ):
        form = {"decision": "approve"} if path.startswith("/approvals/") else {}
        answer = browser.get(address) if method == "GET" else browser.post(address, form)
        assert answer.status_code == expected, path
        # Files are sent as they are read.
        answer.close()
