"""Migrations of the PLATFORM database: both ways, and equal to the models."""

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


def test_a_database_says_whether_it_is_current(settings: Settings, tmp_path):
    assert migrate.is_current(settings)
    migrate.downgrade_platform(settings.database_url)
    assert not migrate.is_current(settings)
