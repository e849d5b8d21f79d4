"""Bring both databases to the schema this code expects, or back."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, event, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateSchema

from store.models import Base
from store.platform import make_engine
from store.schema import misfit
from store.settings import PROJECT_ROOT, Settings

MIGRATIONS = PROJECT_ROOT / "migrations"

#: Any number will do, as long as it is always the same: two upgrades take turns by it on PostgreSQL.
_UPGRADE_LOCK = 3_774_732


def upgrade(settings: Settings) -> None:
    """Upgrade PLATFORM, then DATA with the tables of every plugin."""
    upgrade_platform(settings.database_url)
    upgrade_data(settings)


def upgrade_platform(url: str, revision: str = "head") -> None:
    with _platform_config(url) as config:
        command.upgrade(config, revision)


def downgrade_platform(url: str, revision: str = "base") -> None:
    with _platform_config(url) as config:
        command.downgrade(config, revision)


def upgrade_data(settings: Settings, revision: str = "heads") -> None:
    """Upgrade DATA. Tables of a plugin that is not used any more stay as they are. Raises PluginError."""
    from store.plugins import PluginError

    strangers: set[str] = set()
    try:
        with _data_config(settings) as config:
            _upgrade_known(config, revision, strangers)
    except DBAPIError as error:
        if not strangers:
            raise
        raise PluginError(
            f"The data database has steps that nothing here knows: {', '.join(sorted(strangers))}. If a later version of "
            f"Errand or of a plugin made them, use that version. The database says: {error.orig}"
        ) from error


def _upgrade_known(config: Config, revision: str, strangers: set[str]) -> None:
    """Do as Alembic's own command does, which gives up where it does not know how the database came to be."""
    script = ScriptDirectory.from_config(config)
    known = {each.revision for each in script.walk_revisions()}

    def steps(at: tuple[str, ...], _context: Any) -> Any:
        strangers.update(set(at) - known)
        return script._upgrade_revs(revision, tuple(each for each in at if each in known))  # type: ignore[arg-type]

    with EnvironmentContext(config, script, fn=steps, destination_rev=revision):
        script.run_env()


def downgrade_data(settings: Settings, revision: str = "base") -> None:
    with _data_config(settings) as config:
        command.downgrade(config, revision)


def is_current(settings: Settings) -> bool:
    """Tell whether the PLATFORM database has the schema this code expects."""
    return not misfit(settings.database_url)


def known_revisions() -> set[str]:
    """Return all revisions of the PLATFORM database that this code knows the way from."""
    script = ScriptDirectory.from_config(_config([MIGRATIONS / "versions"]))
    return {each.revision for each in script.walk_revisions()}


def is_data_current(settings: Settings) -> bool:
    """Tell whether the DATA database has the tables that this code and every plugin expect."""
    from store.plugins import load_plugins

    folders = [plugin.migrations for plugin in load_plugins(settings) if plugin.migrations]
    script = ScriptDirectory.from_config(_config([MIGRATIONS / "data", *folders]))
    return set(script.get_heads()) <= _heads(settings.data_database_url)


def _heads(url: str) -> set[str]:
    engine = make_engine(url)
    try:
        with engine.execution_options(sqlite_begin="DEFERRED").connect() as connection:
            return set(MigrationContext.configure(connection).get_current_heads())
    finally:
        engine.dispose()


def _config(version_locations: Sequence[Path]) -> Config:
    config = Config()
    config.set_main_option("script_location", _escaped(MIGRATIONS))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", "\n".join(_escaped(folder) for folder in version_locations))
    return config


def _escaped(path: Path) -> str:
    # Alembic reads options through ConfigParser, where a percent sign means something.
    return str(path).replace("%", "%%")


@contextmanager
def _platform_config(url: str) -> Iterator[Config]:
    config = _config([MIGRATIONS / "versions"])
    with _connected(config, make_engine(url), Base.metadata):
        yield config


@contextmanager
def _data_config(settings: Settings) -> Iterator[Config]:
    # Imported late: plugins bring models, and only this half needs them.
    from store.objects import ObjectModel
    from store.plugins import load_plugins

    plugins = load_plugins(settings)
    folders = [MIGRATIONS / "data", *(plugin.migrations for plugin in plugins if plugin.migrations)]
    config = _config(folders)
    engine = make_engine(settings.data_database_url)
    with _connected(config, engine, ObjectModel.metadata):
        yield config


@contextmanager
def _connected(config: Config, engine: Engine, metadata: MetaData) -> Iterator[None]:
    config.attributes["metadata"] = metadata
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _let_go_of_rows)
    try:
        with engine.begin() as connection:
            _prepare(connection)
            config.attributes["connection"] = connection
            yield
    finally:
        engine.dispose()


def _let_go_of_rows(connection: Any, _record: Any) -> None:
    # Where SQLite cannot alter a table, Alembic makes another and drops the first one, and what rows of other tables
    # name is gone for that moment: they would go with it.
    connection.execute("PRAGMA foreign_keys = OFF")


def _prepare(connection: Connection) -> None:
    if connection.dialect.name != "postgresql":
        return
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
    schema = own_schema(str(connection.engine.url.render_as_string(hide_password=False)))
    if schema:
        connection.execute(CreateSchema(schema, if_not_exists=True))


def own_schema(url: str) -> str | None:
    """Return the schema that a PostgreSQL URL sets as its search path, if it does."""
    options = str(make_url(url).query.get("options", ""))
    _, found, schema = options.partition("search_path=")
    # More schemas may follow, and more options.
    return re.split(r"[,\s]", schema.strip(), maxsplit=1)[0] or None if found else None
