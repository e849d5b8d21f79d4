"""The arrows between the rooms point one way: jobs <- store <- worker <- webapp."""

import ast
import re
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

#: What job files may import as if it were installed; we do not.
SERVED = {"nautobot", "django", "celery", "billiard"}

#: What one file, or all in a folder, may import although the room may not.
ALLOWED = {
    "webapp/cli/bench.py": {"benchmarks"},
    "webapp/cli/soak.py": {"benchmarks"},
    # Job files of Nautobot import its models.
    "jobs/shims/": {"store"},
    # They are job files of Nautobot.
    "examples/nautobot/": SERVED,
    # Pages are made with Flask, and with what the portal has for them.
    "examples/inventory/pages.py": {"flask", "webapp"},
}

FILES = [(room, path) for room in FORBIDDEN for path in sorted((PROJECT_ROOT / room).rglob("*.py"))]


def imports(path: Path) -> Iterator[str]:
    """Yield the top-level name of everything the file imports, wherever in the file it does so."""
    package = path.relative_to(PROJECT_ROOT).parts[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield package if node.level else (node.module or "").split(".")[0]


@pytest.mark.parametrize("room", FORBIDDEN)
def test_no_file_imports_against_the_arrows(room: str):
    against = {}
    for name, path in ((str(path.relative_to(PROJECT_ROOT)), path) for of, path in FILES if of == room):
        allowed = {room for start, rooms in ALLOWED.items() if name.startswith(start) for room in rooms}
        if found := set(imports(path)) & (FORBIDDEN[room] | SERVED) - allowed:
            against[name] = found
    assert against == {}


def test_the_shims_are_for_job_files_and_one_door_opens_them():
    importing = {
        str(path.relative_to(PROJECT_ROOT))
        for _, path in FILES
        if "shims" not in path.parts and "jobs.shims" in path.read_text("utf-8")
    }
    # The second only in processes of tests: those import the same names. The last reads what stands there, for the docs.
    assert importing == {
        "jobs/loading.py",
        "worker/nautobot_testing.py",
        "webapp/cli/reference/hooks.py",
    }


def test_the_walk_sees_every_room():
    assert {room for room, _ in FILES} == set(FORBIDDEN)


def test_importing_a_room_only_defines():
    """No module opens a database, Redis or a file of an instance when it is imported."""
    # In the order of the arrows, in one process: each room has only those before it loaded, as it has alone.
    modules = [
        ".".join(path.relative_to(PROJECT_ROOT).with_suffix("").parts).removesuffix(".__init__")
        for room in ("jobs", "store", "worker", "webapp", "benchmarks")
        for name, path in FILES
        if name == room and path.name not in ("__main__.py", "wsgi.py") and "local" not in path.parts
    ]
    program = (
        "import sys, importlib, os, socket, sqlite3, threading\n"
        "def refuse(*a, **k): raise SystemExit('something was opened')\n"
        "sqlite3.connect = refuse; socket.socket.connect = refuse; os.mkdir = refuse\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    if threading.active_count() > 1: sys.exit(f'{name} started a thread')\n"
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


#: Where HTML is made from data: rendered and sanitized; marked as HTML for templates; put together for reports.
MAKES_HTML = {"store/html.py", "webapp/trusted.py"}

#: {name: who may use it}. All that keeps a text from being escaped, or makes HTML of it.
FOR_HTML = {
    "Markup": MAKES_HTML,
    "markupsafe": MAKES_HTML,
    "mark_safe": set(),
    "do_mark_safe": set(),
    "__html__": set(),
    "bleach": {"store/html.py"},
    "json2html": {"store/html.py"},
    "Json2Html": {"store/html.py"},
    "render_template_string": set(),
    # Of plain texts that people write: they are escaped where they are shown.
    "from_string": {"webapp/button_texts.py"},
    "autoescape": {"webapp/button_texts.py"},
}

#: How a template would say that something is HTML.
IN_TEMPLATES = re.compile(r"\|\s*safe\b|\bfilter\s+safe\b|\bautoescape\b|\bMarkup\b|\|\s*urlize\b")


def names_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None) or ""
            yield from (module.partition(".")[0], *(alias.name.partition(".")[0] for alias in node.names))
        elif isinstance(node, ast.Call):
            # `icontains(..., autoescape=True)` is about LIKE, and escapes.
            yield from (
                each.arg
                for each in node.keywords
                if each.arg and not (isinstance(each.value, ast.Constant) and each.value.value is True)
            )


def test_nothing_is_marked_as_trusted_html_outside_one_module():
    for room in ("jobs", "store", "worker", "webapp"):
        for path in (PROJECT_ROOT / room).rglob("*.py"):
            here = path.relative_to(PROJECT_ROOT).as_posix()
            if here.startswith("store/reports/"):
                continue  # See above.
            for name in set(names_in(ast.parse(path.read_text("utf-8")))) & FOR_HTML.keys():
                assert here in FOR_HTML[name], f"{here} uses {name}"
    for path in (PROJECT_ROOT / "templates").rglob("*.html"):
        assert IN_TEMPLATES.search(path.read_text("utf-8")) is None, path


#: (file, name) of a text that is chosen of several which are written there, or of no text.
WRITTEN_BEFORE = {
    ("jobs/discovery.py", "lines"),
    ("store/reports/page.py", "button"),
    ("store/reports/page.py", "tag"),
    ("webapp/trusted.py", "svg"),
    ("worker/slack/approval_message.py", "outcome"),
}


def test_no_text_of_others_is_a_format():
    """`"{0.__class__}".format(...)` shows what an object holds: only texts that are written in the code are formats."""
    found = []
    for room in ("jobs", "store", "worker", "webapp"):
        for path in sorted((PROJECT_ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                match node:
                    case ast.Call(func=ast.Attribute(value=text, attr="format" | "format_map")):
                        if not _is_written_here(text):
                            found.append((path.relative_to(PROJECT_ROOT).as_posix(), ast.unparse(text)))
    assert set(found) == WRITTEN_BEFORE


def _is_written_here(text: ast.expr) -> bool:
    match text:
        case ast.Constant():
            return True
        case ast.Call(func=ast.Name(id="Markup"), args=[given]):
            return _is_written_here(given)
        case ast.Subscript(value=ast.Name(id=name)) | ast.Name(id=name) | ast.Attribute(attr=name):
            return name.lstrip("_").isupper()
    return False
