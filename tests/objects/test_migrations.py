"""The tables of DATA: the migrations make exactly what the models say, and take it back."""

from dataclasses import replace
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError

from store import migrate
from store.objects import Data, ObjectModel, run_markers
from store.plugins import PluginError, load_plugins


@pytest.fixture
def migrated(inventory_settings):
    migrate.upgrade_data(inventory_settings)
    data = Data(inventory_settings.data_database_url)
    yield data
    data.dispose()


def tables(data):
    return set(inspect(data.engine).get_table_names())


def test_migrations_make_what_the_models_say(migrated, inventory_settings):
    plugins = load_plugins(inventory_settings)
    # Models that other tests invented are in the same metadata.
    prefixes = ("errand_", *(f"{plugin.label}_" for plugin in plugins))

    def ours(_object, name, kind, *_):
        return kind != "table" or name.startswith(prefixes)

    with migrated.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": ours})
        assert compare_metadata(context, ObjectModel.metadata) == []
        heads = set(connection.scalars(text("SELECT version_num FROM alembic_version")))
    assert heads == {"errand_0003", "inventory_0001"}


def test_migrations_can_be_taken_back_and_made_again(migrated, inventory_settings):
    migrate.downgrade_data(inventory_settings, "inventory@base")
    assert tables(migrated) == {"alembic_version", "errand_object_changes", "errand_run_markers"}
    migrate.downgrade_data(inventory_settings)
    assert tables(migrated) == {"alembic_version"}
    migrate.upgrade_data(inventory_settings)
    assert {"errand_run_markers", "inventory_devices"} < tables(migrated)


def test_an_attempt_of_a_run_leaves_one_marker_only(migrated):
    row = {"result_id": uuid4(), "attempt": 1}
    with migrated.run_session(wait_seconds=5, on_wait=lambda: None) as session:
        session.execute(run_markers.insert(), row)
        session.commit()
        session.execute(run_markers.insert(), {**row, "attempt": 2})
        with pytest.raises(IntegrityError):
            session.execute(run_markers.insert(), row)


def test_tables_of_a_plugin_that_is_not_used_any_more_stay_as_they_are(migrated, inventory_settings):
    without = replace(inventory_settings, plugins=())
    migrate.downgrade_data(inventory_settings, "errand@errand_0001")
    migrate.upgrade_data(without)
    assert {"errand_object_changes", "inventory_devices"} < tables(migrated)
    assert migrate.is_data_current(without)
    assert migrate.is_data_current(inventory_settings), "and it can be used again"


def test_steps_of_a_later_version_are_not_taken_once_more(migrated, inventory_settings):
    with migrated.engine.begin() as connection:
        connection.execute(
            text("UPDATE alembic_version SET version_num = 'later' WHERE version_num LIKE 'inv%'")
        )
    with pytest.raises(PluginError, match=r"steps that nothing here knows: later\."):
        migrate.upgrade_data(inventory_settings)
    assert "inventory_devices" in tables(migrated)
