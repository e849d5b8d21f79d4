"""The web application: what every request passes through, and the pages."""

from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from store.data import Data
from store.entry_search import EntryIndex, entry_index
from store.plugins import load_plugins
from store.settings import PROJECT_ROOT, Settings
from webapp import (
    account,
    api,
    approvals,
    assets,
    audit,
    auth,
    bennettbot,
    bulk,
    buttons,
    chains,
    channels,
    data_files,
    database,
    deliveries,
    errors,
    extras,
    filters,
    formats,
    fragments,
    frame,
    groups,
    headers,
    here,
    home,
    hooks,
    htmx,
    identities,
    job_settings,
    jobs,
    jump,
    kept_values,
    limits,
    live,
    login,
    looks,
    metrics,
    ndscheduler,
    notifications,
    objects,
    permissions,
    places,
    plugins,
    refusals,
    request_log,
    results,
    retention,
    saved_filters,
    schedules,
    search_page,
    single_sign_on,
    sources,
    suppressions,
    trusted,
    users,
    webhook_deliveries,
    webhook_pages,
    webhooks,
    workers,
)
from webapp.bodies import Bodies
from webapp.counts import Counts
from webapp.desk import Desk
from webapp.hearing_out import HearingOut
from webapp.job_key import JobKey, ValueKey
from webapp.oidc_provider import Provider
from webapp.pace import Pace
from webapp.sessions import DatabaseSessions
from webapp.slack import connect as connect_slack
from webapp.slack import events as slack_events
from webapp.uploads import LARGEST_REST_BYTES
from webapp.waiting import WaitingRoom

MOST_FORM_PARTS = 5000
#: Whoever looks from beside it whether it is well asks for it by these, and knows no other name.
THIS_MACHINE = ("localhost", "127.0.0.1")


@dataclass(frozen=True, slots=True)
class Errand:
    """What views need beside the PLATFORM database: `current_app.extensions["errand"]`."""

    settings: Settings
    data: Data
    entry_index: EntryIndex
    #: Of single sign-on, where there is one.
    provider: Provider | None = None
    pace: Pace = field(default_factory=Pace)
    counts: Counts = field(default_factory=Counts)
    #: Where requests of the API wait for runs.
    waiting: WaitingRoom = field(default_factory=WaitingRoom)


def create_app(settings: Settings) -> Flask:
    app = Flask("webapp", static_folder=None, template_folder=str(PROJECT_ROOT / "templates"))
    app.config.update(
        SECRET_KEY=settings.secret_key,
        MAX_CONTENT_LENGTH=LARGEST_REST_BYTES,
        MAX_FORM_MEMORY_SIZE=LARGEST_REST_BYTES,
        MAX_FORM_PARTS=MOST_FORM_PARTS,
        # Our own check comes first (see webapp.auth), and a token lives as long as its session.
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_SSL_STRICT=False,
        WTF_CSRF_TIME_LIMIT=None,
        TRUSTED_HOSTS=[*settings.hosts, *THIS_MACHINE] if settings.hosts else None,
    )
    app.wsgi_app = _behind(settings.proxies, HearingOut(Bodies(Desk(app.wsgi_app))))  # type: ignore[method-assign]
    app.url_map.converters.update(job=JobKey, value=ValueKey)
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    brought = load_plugins(settings)
    app.extensions["errand"] = Errand(
        settings,
        Data(settings.data_database_url),
        entry_index(settings.database_url),
        Provider(settings.oidc) if settings.oidc else None,
    )
    database.init_app(app, settings.database_url)
    app.session_interface = DatabaseSessions(https=bool(settings.https), counts_as_use=auth.counts_as_use)
    for part in (
        htmx,
        refusals,
        request_log,
        metrics,
        auth,
        errors,
        assets,
        formats,
        fragments,
        frame,
        here,
        live,
        looks,
        places,
        saved_filters,
        schedules,
        trusted,
    ):
        part.init_app(app)
    limits.init_app(app, settings)
    headers.init_app(app, https=bool(settings.https), image_hosts=settings.image_hosts)
    for noun in (
        home,
        jump,
        login,
        single_sign_on,
        jobs,
        kept_values,
        job_settings,
        suppressions,
        results,
        filters,
        bulk,
        search_page,
        schedules,
        approvals,
        workers,
        metrics,
        objects,
        data_files,
        users,
        identities,
        groups,
        permissions,
        hooks,
        buttons,
        chains,
        account,
        notifications,
        channels,
        deliveries,
        audit,
        retention,
        sources,
        webhooks,
        webhook_pages,
        webhook_deliveries,
        bennettbot,
        slack_events,
        connect_slack,
    ):
        app.register_blueprint(noun.blueprint)
    api.register(app, settings)
    extras.register(app)
    ndscheduler.register(app)
    plugins.init_app(app, brought)
    return app


def _behind(proxies: int, application: Any) -> Any:
    """Take the word of so many proxies on who asks, and how. That of one more could be anybody's."""
    if not proxies:
        return application
    return ProxyFix(application, x_for=proxies, x_proto=proxies, x_host=proxies, x_prefix=proxies)
