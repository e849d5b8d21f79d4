"""What all pages promise: nothing trusted by mistake, nothing inline, nothing missing."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from store.models import JobResult, Status, now
from store.settings import PROJECT_ROOT
from webapp.formats import ago, duration, grouped, offset, plural, round_duration
from webapp.looks import LOOKS, length, pulse

#: Files that stand alone, with a policy of their own that names their style and script by hash (see webapp.export_looks).
ALONE = {"export_head.html", "export_end.html"}
TEMPLATES = sorted(path for path in (PROJECT_ROOT / "templates").rglob("*.html") if path.name not in ALONE)
STATIC = PROJECT_ROOT / "static"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(PROJECT_ROOT)))
def test_templates_trust_nothing_and_have_nothing_inline(path: Path):
    source = path.read_text("utf-8")
    assert not re.search(r"\|\s*safe\b|autoescape|Markup", source)
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|hx-on|javascript:", source)
    for script in re.findall(r"<script([^>]*)>(.*?)</script>", source, re.DOTALL):
        assert "src=" in script[0]
        assert not script[1].strip()


def test_only_one_module_marks_html_as_safe():
    for path in (PROJECT_ROOT / "webapp").rglob("*.py"):
        if path.name != "trusted.py":
            assert not re.search(r"\bMarkup\(|markupsafe|\|\s*safe", path.read_text("utf-8")), path


def test_every_static_file_and_icon_that_is_named_exists():
    sprite = (STATIC / "sprite.svg").read_text("utf-8")
    icons = set(re.findall(r'<symbol id="i-([\w-]+)"', sprite))
    for path in TEMPLATES:
        source = path.read_text("utf-8")
        for name in re.findall(r'static\("([^"]+)"\)', source):
            assert (STATIC / name).is_file(), f"{path}: {name}"
        for name in re.findall(r'icon\("([\w-]+)"', source):
            assert name in icons, f"{path}: {name}"
    assert {look.icon for look in LOOKS.values()} <= icons


def test_the_script_finds_nothing_by_name_that_it_was_not_given():
    """An object written as {} knows `constructor` and `__proto__`, too: whoever chooses a name would choose these."""
    script = (STATIC / "errand.js").read_text("utf-8")
    assert not re.findall(r"[=(,]\s*\{\s*\}", script)


def test_the_browser_keeps_nothing_of_the_portal():
    script = (STATIC / "errand.js").read_text("utf-8")
    assert set(re.findall(r"localStorage\.setItem\(\"(\w+)\"", script)) == {"theme", "keys"}
    assert script.count("localStorage.setItem(") == 2
    assert set(re.findall(r"document\.cookie = (\w+)", script)) == {"kept"}
    assert 'kept = (tls ? "__Host-zone=" : "zone=") + zone;' in script
    assert not re.search(r"sessionStorage|indexedDB", script)


def test_the_sprite_is_well_formed():
    from xml.etree import ElementTree

    for name in ("sprite.svg", "icon.svg"):
        ElementTree.parse(STATIC / name)


def test_every_state_has_a_look_of_its_own():
    assert set(LOOKS) == set(Status)
    icons = [LOOKS[status].icon for status in Status if status not in (Status.CANCELED, Status.DENIED)]
    assert len(set(icons)) == len(icons)


def test_every_fragment_is_included_or_rendered():
    sources = "".join(
        path.read_text("utf-8") for path in [*TEMPLATES, *(PROJECT_ROOT / "webapp").rglob("*.py")]
    )
    for path in TEMPLATES:
        name = str(path.relative_to(PROJECT_ROOT / "templates"))
        assert f'"{name}"' in sources, f"{name} is used nowhere"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0s"),
        (9.94, "9.9s"),
        (9.96, "10s"),
        (59.6, "1m 00s"),
        (102, "1m 42s"),
        (7500, "2h 05m"),
        (273600, "3d 4h"),
    ],
)
def test_durations(seconds, words):
    assert duration(seconds) == words


def test_round_durations():
    given = (0.5, 45, 59.99, 60, 90, 600, 3600, 5400, 90_000, 86_400)
    assert [round_duration(seconds) for seconds in given] == [
        *("0.5s", "45s", "59.99s", "1m", "1m 30s", "10m", "1h", "1h 30m", "1d 1h", "1d"),
    ]


def test_offsets_numbers_and_plurals():
    assert (offset(-1), offset(38.51), offset(78)) == ("+0.0s", "+38.5s", "+1m 18s")
    assert grouped(4812) == "4\N{NARROW NO-BREAK SPACE}812"
    assert (plural(1, "run"), plural(2, "run"), plural(0, "match", "matches")) == (
        "1 run",
        "2 runs",
        "0 matches",
    )


def test_moments():
    assert ago(now()) == "just now"
    assert ago(now() - timedelta(seconds=30)) == "30s ago"
    assert ago(now() - timedelta(minutes=5)) == "5 min ago"
    assert ago(now() - timedelta(days=3)) == "3 days ago"
    assert re.fullmatch(r"\d+ [A-Z]\w+ \d{4}", ago(now() - timedelta(days=800)))


def test_the_pulse_tells_bars_apart_by_shape():
    def run(status, seconds, warnings=0):
        start = now()
        return JobResult(
            status=status,
            count_warning=warnings,
            started_at=start,
            finished_at=start + timedelta(seconds=seconds),
        )

    newest_first = [
        run("failed", 9),
        run("canceled", 1),
        run("completed", 5, 2),
        run("completed", 10),
        run("running", 3),
    ]
    drawn = pulse(newest_first)
    assert drawn.label == "Last 4 runs: 1 completed, 1 with warnings, 1 canceled, 1 failed"
    assert [bar.css for bar in drawn.bars[-5:]] == ["is-ok", "is-warn", "is-warn", "is-wait", "is-bad"]
    assert drawn.bars[-1].y > 16
    assert len(drawn.bars) == 16 + 5
    assert pulse([]).label == "No runs yet"


@pytest.mark.parametrize(
    ("seconds", "percent"), [(10, 50.0), (5, 25.0), (15, 75.0), (20, 100.0), (900, 100.0), (0, 1.0)]
)
def test_a_duration_is_drawn_beside_what_is_usual(seconds, percent):
    assert length(seconds, 10) == (percent, 10)
    assert length(seconds, None) is None
    assert length(None, 10) is None
