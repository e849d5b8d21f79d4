"""Settings: where each comes from, and a sentence for each that cannot work."""

import os
import stat
from pathlib import Path

import pytest
from sqlalchemy import make_url

from store.migrate import own_schema
from store.settings import (
    LONGEST_SOCKET_PATH,
    PROJECT_ROOT,
    SettingsError,
    environment,
    load_settings,
    redis_socket,
    remember,
)


def test_defaults_live_in_the_instance_folder(tmp_path: Path):
    settings = load_settings(tmp_path / "new", {})
    assert settings.database_url == f"sqlite:///{tmp_path}/new/errand.db"
    assert settings.data_database_url == f"sqlite:///{tmp_path}/new/data.db"
    assert settings.redis_url == f"unix://{tmp_path}/new/redis/redis.sock"
    assert settings.jobs_roots == (PROJECT_ROOT / "jobs" / "local",)
    assert (settings.embedded_redis, settings.https, settings.plugins) == (True, None, ())


def test_the_secret_key_is_made_once_and_is_private(tmp_path: Path):
    first = load_settings(tmp_path, {})
    assert load_settings(tmp_path, {}).secret_key == first.secret_key
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600
    assert load_settings(tmp_path, {"SECRET_KEY": "k" * 30}).secret_key == "k" * 30
    assert [path.name for path in tmp_path.iterdir()] == ["secret_key"], "nothing is written beside it"


def test_the_environment_decides(tmp_path: Path):
    settings = load_settings(
        tmp_path,
        {
            "DATABASE_URL": "postgres://u:p%40ss@h/d",
            "REDIS_URL": "redis://h:1/0",
            "JOBS_ROOT": os.pathsep.join(["/a", "/b c"]),
            "ERRAND_PLUGINS": "one, two",
            "ERRAND_HTTPS": "1",
            "ERRAND_DEBUG": "1",
        },
    )
    assert settings.database_url == "postgresql+psycopg://u:p%40ss@h/d"
    assert "errand_data" in settings.data_database_url
    assert settings.jobs_roots == (Path("/a"), Path("/b c"))
    assert (settings.plugins, settings.https, settings.embedded_redis) == (("one", "two"), True, False)
    assert settings.debug
    assert not load_settings(tmp_path, {}).debug


def test_what_an_instance_remembers_is_a_default(tmp_path: Path):
    load_settings(tmp_path, {})
    remember(tmp_path, plugins=["p"], jobs_roots=["/j"])
    remember(tmp_path, plugins=["q"])
    settings = load_settings(tmp_path, {})
    assert (settings.plugins, settings.jobs_roots) == (("q",), (Path("/j"),))
    assert load_settings(tmp_path, {"ERRAND_PLUGINS": ""}).plugins == ()


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"DATABASE_URL": "mysql://h/d"}, "works on PostgreSQL and SQLite"),
        ({"DATABASE_URL": "no url"}, "is not a database URL"),
        ({"ERRAND_HTTPS": "maybe"}, "write 1 or 0"),
        ({"ERRAND_DEBUG": "maybe"}, "ERRAND_DEBUG is 'maybe'; write 1 or 0"),
        ({"DATABASE_URL": "sqlite:////tmp/x.db", "DATA_DATABASE_URL": "sqlite:////tmp/x.db"}, "is the same"),
    ],
)
def test_what_cannot_work_is_told(tmp_path: Path, environ: dict[str, str], said: str):
    with pytest.raises(SettingsError, match=said):
        load_settings(tmp_path, environ)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="cannot be made"):
        load_settings(tmp_path / "file" / "instance", {})


def test_a_broken_memory_is_told(tmp_path: Path):
    (tmp_path / "settings.json").write_text("{")
    with pytest.raises(SettingsError, match=r"settings\.json"):
        load_settings(tmp_path, {})


def test_a_long_instance_path_still_has_a_socket_that_works(tmp_path: Path):
    long = tmp_path / ("x" * 120)
    assert len(str(redis_socket(long))) <= LONGEST_SOCKET_PATH
    assert redis_socket(long) == redis_socket(long)
    assert redis_socket(long) != redis_socket(tmp_path / ("y" * 120))
    assert redis_socket(tmp_path / "in stance").parent != tmp_path / "in stance" / "redis", (
        "a blank breaks clients"
    )


def test_nobody_else_may_look_into_the_instance_folder(tmp_path: Path):
    assert stat.S_IMODE(load_settings(tmp_path / "new", {}).instance.stat().st_mode) == 0o700


def test_children_get_the_same_settings_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REDIS_URL", "redis://h/0")
    monkeypatch.setenv("UNRELATED", "x")
    settings = load_settings(tmp_path)
    given = environment(settings)
    assert load_settings(environ=given) == settings
    assert "UNRELATED" not in given


def test_a_folder_that_was_mistyped_is_told_and_not_made(tmp_path: Path):
    with pytest.raises(SettingsError, match="no instance"):
        load_settings(tmp_path / "typo", {}, create=False)
    assert not (tmp_path / "typo").exists()


def test_options_of_a_postgresql_url_reach_the_driver(tmp_path: Path):
    url = "postgresql://u:p@h/d?sslmode=verify-full&sslrootcert=/etc/ca.pem&target_session_attrs=read-write"
    given = {"sslmode": "verify-full", "sslrootcert": "/etc/ca.pem", "target_session_attrs": "read-write"}
    settings = load_settings(tmp_path, {"DATABASE_URL": url})
    for made in (settings.database_url, settings.data_database_url):
        parsed = make_url(made)
        _, arguments = parsed.get_dialect()().create_connect_args(parsed)
        assert given.items() <= arguments.items()


def test_the_schema_of_objects_keeps_the_options_of_the_server(tmp_path: Path):
    url = "postgresql://u:p@h/d?options=-cstatement_timeout%3D5000"
    data_url = load_settings(tmp_path, {"DATABASE_URL": url}).data_database_url
    assert make_url(data_url).query["options"] == "-cstatement_timeout=5000 -csearch_path=errand_data"
    assert own_schema(data_url) == "errand_data"
    assert own_schema("postgresql://h/d?options=-csearch_path%3Done,two%20-cwork_mem%3D8MB") == "one"
    assert own_schema("postgresql://h/d?options=-csearch_path%3Done%20-cwork_mem%3D8MB") == "one"
    assert own_schema("postgresql://h/d") is None


def test_a_database_url_that_cannot_be_read_is_told_without_its_password(tmp_path: Path):
    for url in ("postgresql://u:hunter2@h:port/d", "postgresql//u:hunter2@h/d"):
        with pytest.raises(SettingsError, match="percent-encoded") as error:
            load_settings(tmp_path, {"DATABASE_URL": url})
        assert "hunter2" not in str(error.value)


def test_a_secret_may_stand_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    secret = tmp_path / "secret"
    secret.write_text("taken from a file\n")
    monkeypatch.setenv("SECRET_KEY_FILE", str(secret))
    monkeypatch.delenv("SECRET_KEY", raising=False)
    settings = load_settings(tmp_path / "i")
    assert settings.secret_key == "taken from a file"
    # Children have it, and the files' names go no further.
    assert environment(settings)["SECRET_KEY"] == "taken from a file"
    assert "SECRET_KEY_FILE" not in os.environ
    monkeypatch.setenv("SECRET_KEY_FILE", str(secret))
    with pytest.raises(SettingsError, match="Both SECRET_KEY and SECRET_KEY_FILE"):
        load_settings(tmp_path / "i")
    monkeypatch.delenv("SECRET_KEY")
    monkeypatch.setenv("SECRET_KEY_FILE", str(tmp_path / "none"))
    with pytest.raises(SettingsError, match=r"SECRET_KEY_FILE is .*No such file"):
        load_settings(tmp_path / "i")
