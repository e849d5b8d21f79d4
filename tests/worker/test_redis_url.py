"""A Redis with a password, behind TLS: it works, and its password is never shown."""

import datetime
import ipaddress
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from redis import Redis as Client
from redis.exceptions import RedisError

from store.platform import Platform
from store.settings import PROJECT_ROOT, Settings, SettingsError, load_settings
from tests import servers
from tests.launcher.test_cli import run_cli
from tests.waiting import until
from tests.worker.conftest import Portal, StartWorker
from worker import run_worker
from worker.queues import connect_blocking, queue_reachable, queue_trouble, waiting_ids

#: With everything that means something in a URL.
PASSWORD = "hun/ter2@#?: %"
SHOWN = ("hunter2", "hun/ter2", quote(PASSWORD, safe=""), "ter2")


class GuardedRedis:
    """A server that asks for a password, by its socket and by TLS."""

    def __init__(self, folder: Path, port: int) -> None:
        self.certificate = folder / "ca.pem"
        self.port = port
        self.socket = folder / "r.sock"

    def tls_url(self, *, user: str = "", password: str = PASSWORD, options: str | None = None) -> str:
        options = f"ssl_ca_certs={quote(str(self.certificate))}" if options is None else options
        return f"rediss://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/0?{options}"

    def socket_url(self) -> str:
        return f"unix://:{quote(PASSWORD, safe='')}@{self.socket}"


@pytest.fixture(scope="module")
def guarded() -> Iterator[GuardedRedis]:
    folder = Path(tempfile.mkdtemp(prefix="er"))  # Short: a socket lies in it.
    make_certificate(folder)
    server = subprocess.Popen(
        [
            *(servers.redis_binary(), "--port", "0", "--unixsocket", "r.sock", "--save", ""),
            *("--requirepass", PASSWORD),
        ],
        cwd=folder,
        stdout=subprocess.DEVNULL,
    )
    proxy = subprocess.Popen(
        [sys.executable, "-m", "tests.tls_proxy", folder / "ca.pem", folder / "key.pem", folder / "r.sock"],
        cwd=PROJECT_ROOT,
        stdout=subprocess.PIPE,
    )
    try:
        assert proxy.stdout
        guarded = GuardedRedis(folder, int(proxy.stdout.readline()))
        until(lambda: answers(guarded.socket_url()), "the server answers")
        with Client.from_url(guarded.socket_url()) as client:
            client.acl_setuser(
                "errand",
                enabled=True,
                passwords=[f"+{PASSWORD}"],
                keys="*",
                channels="*",
                categories=["+@all"],
            )
        yield guarded
    finally:
        for process in (proxy, server):
            process.kill()
            process.wait()
        proxy.stdout.close()
        shutil.rmtree(folder)


def answers(url: str) -> bool:
    with Client.from_url(url) as client:
        try:
            return bool(client.ping())
        except RedisError:
            return False


def make_certificate(folder: Path) -> None:
    """Make a certificate for 127.0.0.1 that is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Errand's tests")])
    today = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


def reaching(settings: Settings, url: str) -> Settings:
    return load_settings(settings.instance, {"REDIS_URL": url})


@pytest.mark.parametrize("user", ["", "default", "errand"])
def test_commands_go_through_tls_with_a_password(settings: Settings, guarded: GuardedRedis, user: str):
    there = reaching(settings, guarded.tls_url(user=user))
    assert queue_trouble(there) is None
    assert waiting_ids(there, "nobody-waits-here") == set()
    with connect_blocking(there) as connection:
        assert connection.ping()


def test_a_socket_may_ask_for_a_password(settings: Settings, guarded: GuardedRedis):
    assert queue_reachable(reaching(settings, guarded.socket_url()))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"password": "wrong-hunter2"}, "invalid username-password pair"),
        ({"options": ""}, "certificate verify failed"),
        ({"options": "ssl_ca_certs=/nowhere/ca.pem"}, "No such file or directory"),
    ],
)
def test_why_it_does_not_answer_is_said_without_the_password(
    settings: Settings, guarded: GuardedRedis, change: dict[str, str], said: str
):
    url = guarded.tls_url(**change)
    trouble = queue_trouble(reaching(settings, url))
    assert trouble is not None
    assert said in trouble
    done = run_cli("worker", "--instance", str(settings.instance), "--burst", REDIS_URL=url)
    assert done.returncode == 1
    assert f"rediss://:***@127.0.0.1:{guarded.port}/0" in done.stderr
    assert said in done.stderr
    assert not [form for form in SHOWN if form in done.stderr + done.stdout]


def test_an_option_that_cannot_work_is_a_wrong_setting(settings: Settings, guarded: GuardedRedis):
    done = run_cli(
        "worker", "--instance", str(settings.instance), REDIS_URL=guarded.tls_url(options="nonsense=1")
    )
    assert done.returncode == 2, "and not waited for"
    assert "nonsense" in done.stderr
    assert not [form for form in SHOWN if form in done.stderr + done.stdout]


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hun#ter2@host:6379/0",
        "redis://:hun/ter2@host",
        "http://:hunter2@host",
        "hunter2",
        "redis://h:0",
    ],
)
def test_a_url_that_cannot_be_read_is_told_without_the_password(tmp_path: Path, url: str):
    with pytest.raises(SettingsError, match="percent-encoded") as error:
        load_settings(tmp_path, {"REDIS_URL": url})
    assert "ter2" not in str(error.value)
    assert error.value.__cause__ is None


def test_a_run_goes_through_tls_from_its_request_to_its_end(
    live: Settings,
    live_platform: Platform,
    guarded: GuardedRedis,
    start_worker: StartWorker,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("REDIS_URL", guarded.tls_url(user="errand"))
    portal = Portal(load_settings(), live_platform)
    results = [portal.submit("Passes") for _ in range(2)]
    assert all(portal.result(result).pushed_at for result in results)
    worker = start_worker()
    until(lambda: all(portal.result(result).finished for result in results), "the runs ended")
    assert [portal.status(result) for result in results] == ["completed"] * 2
    # It waits on its queue now, through TLS as well, and is called there.
    late = portal.submit("Passes")
    until(lambda: portal.result(late).finished, "the late run ended")
    worker.terminate()
    assert worker.wait(60) == 0


def test_settings_never_show_what_opens_the_portal(settings: Settings):
    told = replace(
        settings,
        redis_url="redis://:hunter2@h",
        database_url="postgresql://u:hunter2@h/d",
        data_database_url="postgresql://u:hunter2@h/e",
        files_url="s3://key:hunter2@bucket",
        secret_key="hunter2hunter2hunter2",
    )
    assert "hunter2" not in f"{told} {told!r}"


def test_a_burst_whose_redis_goes_before_it_begins_ends_with_a_sentence(settings: Settings, tmp_path: Path):
    gone = replace(settings, redis_url=f"unix://{tmp_path}/gone.sock")
    with pytest.raises(SystemExit, match="Redis is gone again: "):
        run_worker.main(gone, burst=True)


def test_a_worker_whose_redis_goes_before_it_begins_waits_for_it(
    settings: Settings, guarded: GuardedRedis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    away = tmp_path / "away.sock"
    url = guarded.socket_url().replace(str(guarded.socket), str(away))
    waited: list[float] = []

    def come_back(seconds: float) -> None:
        waited.append(seconds)
        away.symlink_to(guarded.socket)

    monkeypatch.setattr("worker.run_worker.time.sleep", come_back)
    worker = run_worker._begin(reaching(settings, url), ["default"], "x", patient=True)
    assert len(waited) == 1
    assert worker.connection.ping()
    worker.connection.close()
