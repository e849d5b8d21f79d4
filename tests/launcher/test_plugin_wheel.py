"""The inventory as others would get it: built as a wheel, installed, found by its entry point, and used."""

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from store.settings import PROJECT_ROOT

BUILD = "import sys; from setuptools.build_meta import build_wheel; print(build_wheel(sys.argv[1]))"


def call(*command: str, **options: object) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build")
    # A copy: a build leaves things behind.
    shutil.copytree(
        PROJECT_ROOT / "examples" / "inventory",
        folder / "source",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    # Without warnings as errors: what setuptools deprecates is its own business.
    return folder / call(sys.executable, "-P", "-c", BUILD, str(folder), cwd=folder / "source").split()[-1]


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has what Errand needs, as this one has it, and the wheel."""
    folder = tmp_path_factory.mktemp("python")
    venv.create(folder, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    ours = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "errand.pth").write_text("".join(f"{path}\n" for path in ours))
    # pip is old enough to be relied on; to have one put into each new folder takes seconds.
    call(
        *(sys.executable, "-m", "pip", "--python", str(folder), "install"),
        *("--quiet", "--no-index", "--no-deps", "--disable-pip-version-check", str(wheel)),
    )
    return folder / "bin" / "python"


def test_an_installed_plugin_brings_all_it_has(python: Path, tmp_path: Path):
    def errand(*arguments: str) -> str:
        return call(
            *(str(python), "-P", "-m", "webapp.cli", *arguments, "--instance", str(tmp_path / "instance")),
            cwd=tmp_path,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(PROJECT_ROOT),
                "JOBS_ROOT": str(PROJECT_ROOT / "jobs" / "local"),
                "TMPDIR": str(tmp_path),
            },
        )

    errand("db", "upgrade")
    errand("jobs", "refresh")
    class_path = "plugins/errand_inventory.jobs.tagging/TagDevices"
    branch = "plugins/errand_inventory.jobs.provisioning/NewBranch"
    errand("jobs", "enable", class_path, branch)

    jobs = {job["class_path"]: job for job in json.loads(errand("jobs", "list", "--json"))}
    assert branch in jobs
    assert not [path for path in jobs if "examples" in path]
    assert jobs[class_path]["dialect"] == "plan"
    site, tag = jobs[class_path]["variables"]
    assert (site["model"], tag["type"], tag["kind"]) == ("inventory.site", "StringVar", "AssetTagVar")

    log = call(
        str(python),
        "-P",
        "-c",
        USE,
        str(tmp_path / "instance"),
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT_ROOT), "TMPDIR": str(tmp_path)},
    )
    assert json.loads(log) == {"sites": 30, "page": 200, "board": True}

    untagged = '{"site_name": "Olten", "switch_count": 2, "switch_model": 1}'
    made = errand("runjob", "--local", "--commit", "--username", "root", "--data", untagged, branch)
    assert "Made switch 2 of 2" in made
    done = errand("runjob", "--local", "--data", '{"site": 31, "first_tag": "b-001"}', class_path)
    assert "Would tag it as B001" in done
    assert "Would tag it as B002" in done


#: Fills the tables with the plugin's own demo, and opens its page as somebody who has signed in.
USE = """
import json, sys
from sqlalchemy import select
from store.models import User
from store.people import sign_in_path
from store.platform import Platform
from store.plugins import load_plugins
from store.settings import load_settings
from webapp.app import create_app

settings = load_settings(sys.argv[1])
app = create_app(settings)
[plugin] = load_plugins(settings)
data = app.extensions["errand"].data
plugin.load_demo(data)
from errand_inventory.models import Site
with data.session():
    sites = Site.objects.count()
platform = Platform(settings.database_url)
with platform.session() as db:
    db.add(User(username="root", superuser=True, active=True))
    db.commit()
    path = sign_in_path(db, db.scalar(select(User)))
client = app.test_client()
client.get(path)
page = client.get("/plugins/inventory/")
print(json.dumps({"sites": sites, "page": page.status_code, "board": "Site board" in page.get_data(as_text=True)}))
"""
