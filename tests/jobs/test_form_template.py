"""Form templates: Django's syntax becomes plain data, or one sentence that says why not."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from jobs.form_template import MOST_BYTES, MOST_FILES, MOST_NOTES, fingerprint, read_template

FACTS = {
    "name": "Bake <b>",
    "description": "First line\nsecond",
    "grouping": "Kitchen's",
    "class_path": "local/bake/Bake",
}
EXTENDS = '{% extends "extras/job.html" %}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "jobs").mkdir()
    return tmp_path / "jobs"


def read(folder: Path, text: str | bytes, name: str = "form.html") -> Any:
    """Return what becomes of a template with this text."""
    content = text.encode() if isinstance(text, str) else text
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return found(folder, name)


def found(folder: Path, name: str) -> Any:
    return read_template(str(folder / "bake.py"), name, FACTS)["form_template"]


def content(folder: Path, text: str) -> Any:
    return read(folder, f"{EXTENDS}{{% block content %}}{text}{{% endblock %}}")


def script(folder: Path, text: str) -> Any:
    return read(folder, f"{EXTENDS}{{% block javascript %}}{text}{{% endblock %}}")


# --- What is understood ---------------------------------------------------------------------------------------


def test_blocks_become_html_around_the_form_and_a_style_and_a_script(folder: Path):
    template = read(
        folder,
        """{% extends 'extras/job.html' %}
not shown
{% block extra_styles %}{{ block.super }}<style>p { color: red }</style>{% endblock %}
{% block content %}<p>above</p>{{ block.super }}<p>below</p>{% endblock content %}
{% block javascript %}{{ block.super }}<script>go()</script>{% endblock javascript %}
""",
    )
    assert template == {
        "name": "form.html",
        "before": "<p>above</p>",
        "after": "<p>below</p>",
        "css": "p { color: red }",
        "js": "go()",
        "notes": [],
        "error": "",
    }


def test_without_a_template_there_is_nothing(folder: Path):
    assert read_template(str(folder / "bake.py"), "", FACTS) == {"form_template": {}, "form_files": {}}


def test_the_form_stays_where_content_does_not_ask_for_it(folder: Path):
    assert (content(folder, "<p>x</p>")["before"], content(folder, "<p>x</p>")["after"]) == ("<p>x</p>", "")


def test_comments_of_both_kinds_and_loads_are_left_out(folder: Path):
    text = "{% load static %}a{# {{ x }} #}b{% comment 'note' %}{% if x %}\n{{ y }}{% endcomment %}c<!-- <script> -->d"
    assert content(folder, text)["before"] == "ab\ncd"


def test_facts_of_the_job_are_text(folder: Path):
    facts = content(
        folder, "{{ job.name }}|{{ job.grouping }}|{{job.class_path}}|{{ job_model.description }}"
    )
    assert facts["before"] == "Bake &lt;b&gt;|Kitchen&#x27;s|local/bake/Bake|First line&#10;second"


def test_scripts_and_styles_are_taken_out_of_any_block(folder: Path):
    template = content(
        folder,
        "<style media='print'>b{}</style>x<SCRIPT>one()</Script >{{ block.super }}<script>two()</script>",
    )
    assert (template["before"], template["after"]) == ("x", "")
    assert template["css"] == "@media print {\nb{}\n}"
    assert template["js"] == "one()\n;\ntwo()"


def test_html_at_the_foot_of_the_page_stands_below_the_form(folder: Path):
    assert script(folder, "<p>foot</p><script>1</script>")["after"] == "<p>foot</p>"


def test_files_are_read_from_beside_the_template(folder: Path):
    (folder / "forms").mkdir()
    (folder / "forms" / "a.js").write_text("a()")
    (folder / "shared.css").write_text("p{}")
    template = read(
        folder,
        EXTENDS + "{% block content %}{% load static %}<script src={% static 'a.js' %}></script>"
        "<link href='../shared.css' rel='stylesheet'>{% endblock %}",
        "forms/form.html",
    )
    assert (template["js"], template["css"], template["notes"]) == ("a()", "p{}", [])


def test_a_record_knows_all_files_it_was_made_of_and_those_that_were_not_there(folder: Path):
    (folder / "a.js").write_text("a()")
    read(
        folder,
        f"{EXTENDS}{{% block content %}}<script src=a.js></script><script src=b.js></script>{{% endblock %}}",
    )
    files = read_template(str(folder / "bake.py"), "form.html", FACTS)["form_files"]
    assert list(files) == ["form.html", "a.js", "b.js"]
    assert files["b.js"] == ""
    for name, known in files.items():
        assert fingerprint(str(folder / "bake.py"), name) == known
    (folder / "a.js").write_text("b()")
    assert fingerprint(str(folder / "bake.py"), "a.js") != files["a.js"]


# --- What is left out, and said -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<script src='https://cdn.example/x.js'></script>", "line 3: https://cdn.example/x.js is not loaded; put"),
        ("<script src=//cdn.example/x.js></script>", "line 3: //cdn.example/x.js is not loaded"),
        ("<script src='data:text/javascript,alert(1)'></script>", "is not loaded"),
        ("<link rel=stylesheet href=https://cdn.example/x.css>", "line 3: https://cdn.example/x.css is not loaded"),
        ("<script src=gone.js></script>", "line 3: gone.js is left out: there is no such file"),
        ("<script src=/static/x.js></script>", "line 3: /static/x.js is left out: it is outside"),
        ("<script src=../../x.js></script>", "line 3: ../../x.js is left out: it is outside"),
        ("<script src></script>", "line 3: a file without a name is left out"),
        ("<script type=module>import x from 'y'</script>", 'line 3: <script type="module"> is left out'),
        ("<link rel=icon href=x.png>", "line 3: <link> is left out"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_left_out_with_a_note(folder: Path, text: str, said: str):
    template = script(folder, f"<script>one()</script>\n{text}")
    assert template["error"] == ""
    assert template["js"] == "one()"
    assert said in template["notes"][0]


def test_a_block_that_the_page_does_not_have_is_left_out(folder: Path):
    template = read(
        folder, EXTENDS + "{% block breadcrumbs %}<p>x</p>{% endblock %}{% block content %}y{% endblock %}"
    )
    assert template["before"] == "y"
    assert "line 2: the block breadcrumbs is left out" in template["notes"][0]


def test_notes_and_files_come_to_an_end(folder: Path):
    template = script(folder, "".join(f"<script src={number}.js></script>" for number in range(1000)))
    assert len(template["notes"]) == MOST_NOTES
    files = read_template(str(folder / "bake.py"), "form.html", FACTS)["form_files"]
    assert len(files) == MOST_FILES


# --- What is refused ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{% include "/etc/passwd" %}', 'line 3: {% include "/etc/passwd" %} is not known here'),
        ("{{ ''.__class__ }}", "line 3: {{ ''.__class__ }} is not known here"),
        ("{{ job.name.__class__ }}", "is not known here"),
        ("{{ job.name|safe }}", "is not known here"),
        ("{{ request.user }}", "line 3: {{ request.user }} is not known here"),
        ("{{ settings.SECRET_KEY }}", "is not known here"),
        ("{% for x in y %}", "line 3: {% for x in y %} is not known here"),
        ("{% debug %}", "is not known here"),
        ("{% static name %}", "is not known here"),
        ("{% if x", "line 3: a tag that begins with {% does not end in this line"),
        ("{% block inner %}", "line 3: {% block inner %} is within {% block content %}"),
        ("{{ block.super }}{{ block.super }}", "line 3: {{ block.super }} stands twice"),
        ("{% endblock other %}", "line 3: {% endblock other %} closes no open block"),
        ("{% comment %}", "{% comment %} is not closed"),
        ("<script>", "line 3: <script> is not closed"),
        ("<style x='", "line 3: <style is not closed"),
        ("{% extends 'extras/job.html' %}", "must come first"),
        ("{% endblock %}{% block content %}", "{% block content %} is there already"),
        ("{% endblock %}{% block %}", "has no name"),
        ("{% endblock %}{% endblock %}", "closes no open block"),
        (f"{{% x{'y' * 500} %}}", "…"),
    ],
)
def test_what_is_not_known_is_refused_with_line_and_tag(folder: Path, text: str, said: str):
    template = content(folder, f"\n{text}")
    assert template["name"] == "form.html"
    assert said in template["error"]
    assert len(template["error"]) < 300
    assert template["before"] == template["js"] == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "does not begin with"),
        ("<p>x</p>", "does not begin with"),
        ("{% extends 'base.html' %}", "line 1: it extends 'base.html'; there is \"extras/job.html\" only."),
        ("{% extends name %}", "it extends name"),
        ("{% block content %}{% endblock %}" + EXTENDS, "must come first"),
        (EXTENDS + "\n{% block content %}\n", "line 3: {% block content %} is not closed"),
        (b"\xff\xfe", "no UTF-8"),
        (b"x" * (MOST_BYTES + 1), "larger than 256 KB"),
        (b"x" * 10_000_000, "larger than 256 KB"),
    ],
)  # fmt: skip
def test_what_is_no_such_template_is_refused(folder: Path, text: str | bytes, said: str):
    assert said in read(folder, text)["error"]


def test_only_files_in_the_folder_of_the_job_are_read(folder: Path):
    (folder.parent / "secret.html").write_text(EXTENDS)
    (folder / "link.html").symlink_to(folder.parent / "secret.html")
    (folder / "inner.html").symlink_to("real.html")
    (folder / "real.html").write_text(EXTENDS)
    (folder / "circle.html").symlink_to("circle.html")
    os.mkfifo(folder / "pipe.html")
    for name in ("../secret.html", "/etc/passwd", str(folder.parent / "secret.html"), "link.html", "a\0b"):
        assert "outside of the job's folder" in found(folder, name)["error"]
    for name in ("pipe.html", "gone.html", "."):
        assert "there is no such file" in found(folder, name)["error"]
    for length in (300, 10_000):
        assert "it cannot be read (File name too long)." in found(folder, "x" * length)["error"]
    assert found(folder, "circle.html")["error"]
    assert found(folder, "inner.html")["error"] == ""


@pytest.mark.parametrize(
    "piece",
    ["{%", "{{", "{#", "{% x ", "{{ x", "%}", "}}", "<script", "<script ", "<script '", "<style>", "<!--", "<!-- --", "<link ",
     "<link a=", "<script a   =  ", "</script", "<script></script", "<script></script   ", "{% comment %}", "{{ job.name }}",
     "<script></script>", "<link>", "\n", "a='", 'a="'],
)  # fmt: skip
def test_no_text_takes_long(folder: Path, piece: str):
    for start in (EXTENDS + "{% block content %}", EXTENDS + "{% block content %}<script ", "{", "<"):
        text = (start + piece * MOST_BYTES)[: MOST_BYTES - 20] + "{% endblock %}"
        begun = time.process_time()
        read(folder, text)
        assert time.process_time() - begun < 2
