"""The arrows between the rooms point one way: jobs <- store <- worker <- webapp."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from store.settings import PROJECT_ROOT

#: Room: what it may never import.
FORBIDDEN = {
    "jobs": {"flask", "rq", "redis", "sqlalchemy", "store", "worker", "webapp", "examples", "benchmarks"},
    "store": {"flask", "rq", "redis", "worker", "webapp", "examples", "benchmarks"},
    "worker": {"flask", "flask_sqlalchemy", "flask_wtf", "webapp", "examples", "benchmarks"},
    "webapp": {"rq", "redis", "examples", "benchmarks"},
    # A plugin is written as others would write theirs: against what is public to them.
    "examples": {"flask", "rq", "redis", "worker", "webapp", "benchmarks"},
    # They stand above all rooms, beside bare RQ.
    "benchmarks": {"tests"},
}

#: What one file, or all in a folder, may import although the room may not.
ALLOWED = {
    "webapp/cli/bench.py": {"benchmarks"},
    "webapp/cli/soak.py": {"benchmarks"},
    # Job files of Nautobot import its models.
    "jobs/shims/": {"store"},
    # Pages are made with Flask, and with what the portal has for them.
    "examples/inventory/pages.py": {"flask", "webapp"},
}

#: What job files may import as if it were installed; we do not.
SERVED = {"nautobot", "django", "celery", "billiard"}

FILES = [(room, path) for room in FORBIDDEN for path in sorted((PROJECT_ROOT / room).rglob("*.py"))]


def imports(path: Path) -> Iterator[str]:
    """Yield the top-level name of everything the file imports, wherever in the file it does so."""
    package = path.relative_to(PROJECT_ROOT).parts[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield package if node.level else (node.module or "").split(".")[0]


@pytest.mark.parametrize(
    ("room", "path"), FILES, ids=[str(path.relative_to(PROJECT_ROOT)) for _, path in FILES]
)
def test_no_file_imports_against_the_arrows(room: str, path: Path):
    name = str(path.relative_to(PROJECT_ROOT))
    allowed = {room for start, rooms in ALLOWED.items() if name.startswith(start) for room in rooms}
    assert set(imports(path)) & (FORBIDDEN[room] | SERVED) <= allowed


def test_the_shims_are_for_job_files_and_one_door_opens_them():
    importing = {
        str(path.relative_to(PROJECT_ROOT))
        for _, path in FILES
        if "shims" not in path.parts and "jobs.shims" in path.read_text("utf-8")
    }
    # The second only in processes of tests: those import the same names.
    assert importing == {"jobs/loading.py", "worker/nautobot_testing.py"}


def test_the_walk_sees_every_room():
    assert {room for room, _ in FILES} == set(FORBIDDEN)


@pytest.mark.parametrize("room", ["jobs", "store", "worker", "webapp", "benchmarks"])
def test_importing_a_room_only_defines(room: str):
    """No module opens a database, Redis or a file of an instance when it is imported."""
    modules = [
        ".".join(path.relative_to(PROJECT_ROOT).with_suffix("").parts).removesuffix(".__init__")
        for name, path in FILES
        if name == room and path.name not in ("__main__.py", "wsgi.py") and "local" not in path.parts
    ]
    program = (
        "import sys, importlib, os, socket, sqlite3, threading\n"
        "def refuse(*a, **k): raise SystemExit('something was opened')\n"
        "sqlite3.connect = refuse; socket.socket.connect = refuse; os.mkdir = refuse\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\n"
        "sys.exit(0 if threading.active_count() == 1 else 'a thread was started')\n"
    )
    subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *modules], check=True, cwd=PROJECT_ROOT, timeout=60
    )


def test_reports_are_put_together_of_our_own_html_and_what_was_sanitized():
    """There Markup is what stands in the code: all else goes through `format`, which escapes it."""
    marked = set()
    for path in (PROJECT_ROOT / "store" / "reports").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Markup":
                marked |= {ast.unparse(given) for given in node.args if not isinstance(given, ast.Constant)}
    # The first two are constants; the third is an SVG that was put together so; the last, what bleach has let through.
    assert marked == {"ALONE", "STYLE", "clean_text(drawn)", "clean_text(rendered)"}


def test_nothing_is_marked_as_trusted_html_outside_one_module():
    trusted = PROJECT_ROOT / "webapp" / "trusted.py"
    for room in ("jobs", "store", "worker", "webapp"):
        for path in (PROJECT_ROOT / room).rglob("*.py"):
            if path != trusted and path.parent != PROJECT_ROOT / "store" / "reports":
                assert "Markup(" not in path.read_text("utf-8"), path
    for path in (PROJECT_ROOT / "templates").rglob("*"):
        if path.is_file():
            text = path.read_text("utf-8")
            assert "|safe" not in text.replace(" ", ""), path
            assert "autoescape false" not in text, path
