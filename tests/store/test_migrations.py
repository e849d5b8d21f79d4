"""Migrations of the PLATFORM database: both ways, and equal to the models."""

import ast
import re

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, make_url

from store import migrate
from store.models import Base
from store.platform import SCHEMA, make_engine
from store.settings import Settings


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/fresh 50%.db"
    given = make_url(request.getfixturevalue("postgres_url"))
    return given.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def tables(url: str) -> set[str]:
    engine = make_engine(url)
    try:
        return set(inspect(engine).get_table_names())
    finally:
        engine.dispose()


def test_upgrade_and_downgrade_run_both_ways(url: str):
    migrate.upgrade_platform(url)
    assert tables(url) == set(Base.metadata.tables) | {"alembic_version"}
    migrate.downgrade_platform(url)
    assert tables(url) == {"alembic_version"}
    migrate.upgrade_platform(url)
    migrate.upgrade_platform(url)


def test_the_migrations_make_what_the_models_say(url: str):
    migrate.upgrade_platform(url)
    engine = make_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_the_code_knows_the_newest_revision():
    script = ScriptDirectory(
        str(migrate.MIGRATIONS), version_locations=[str(migrate.MIGRATIONS / "versions")]
    )
    assert script.get_heads() == [SCHEMA]


#: Beyond this one, what runs from the code before is still there after an upgrade.
LAST_FREE = 38
TAKES_AWAY = re.compile(r"\b(?:drop_\w+|rename_\w+|alter_column)\(|\b(?:DROP|RENAME)\b")


def takes_away(code: str) -> list[str]:
    """Return what the upgrade of a migration takes from code that knows the schema before; notes allow it."""
    upgrade = next(
        each for each in ast.parse(code).body if isinstance(each, ast.FunctionDef) and each.name == "upgrade"
    )
    lines = code.splitlines()[upgrade.lineno - 1 : upgrade.end_lineno]
    return [
        line.strip()
        for before, line in zip(["", *lines], lines, strict=False)
        if TAKES_AWAY.search(line) and "# Mixed versions: " not in before
    ]


def test_an_upgrade_only_adds():
    """For a minute the old web server runs with new workers: what it reads and writes stays where it is."""
    seen = 0
    for path in sorted((migrate.MIGRATIONS / "versions").glob("[0-9]*.py")):
        if int(path.name[:4]) > LAST_FREE:
            seen += 1
            assert takes_away(path.read_text()) == [], (
                f"{path.name}: leave it to a later version, or say above it why nothing needs it (# Mixed versions: ...)"
            )
    assert seen >= 4


def test_what_an_upgrade_takes_away_is_seen():
    down = "def downgrade():\n    op.drop_table('a')\n"
    assert takes_away(f"def upgrade():\n    op.add_column('a', b)\n{down}") == []
    assert takes_away(f"def upgrade():\n    op.drop_column('a', 'b')\n{down}") == ["op.drop_column('a', 'b')"]
    assert takes_away("def upgrade():\n    op.execute('ALTER TABLE a RENAME b TO c')\n") != []
    noted = "def upgrade():\n    # Mixed versions: nobody has read it since 1.2.\n    op.drop_table('a')\n"
    assert takes_away(noted) == []


def test_a_database_says_whether_it_is_current(settings: Settings, tmp_path):
    assert migrate.is_current(settings)
    migrate.downgrade_platform(settings.database_url)
    assert not migrate.is_current(settings)
