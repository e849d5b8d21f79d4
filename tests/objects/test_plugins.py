"""Plugin packages are found, or it is said why not."""

import importlib
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from store import plugins
from store.objects import models
from store.plugins import PluginError, load_plugins
from store.settings import PROJECT_ROOT, load_settings


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Load plugins by name; packages may be written with `load.package`."""
    monkeypatch.syspath_prepend(tmp_path / "packages")

    def load_named(*names):
        return load_plugins(load_settings(tmp_path / "instance", {"ERRAND_PLUGINS": ",".join(names)}))

    def package(name, source, **modules):
        load_named.packages.append(name)
        folder = tmp_path / "packages" / name
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text(source)
        for module, code in modules.items():
            (folder / f"{module}.py").write_text(code)

    load_named.package = package
    load_named.packages = []
    yield load_named
    for name in load_named.packages:
        # A job of a later test would be given its models, too.
        sys.modules.pop(name, None)


def test_a_plugin_is_loaded_as_often_as_asked(load):
    first = load("examples.inventory")
    assert [plugin.label for plugin in first] == ["inventory"]
    assert load("examples.inventory", "examples.inventory") == first
    assert "inventory.device" in models()


def test_installed_plugins_are_found_by_their_entry_point(load, monkeypatch):
    point = EntryPoint("inventory", "examples.inventory:plugin", plugins.ENTRY_POINTS)
    monkeypatch.setattr(plugins, "entry_points", lambda group: [point] if group == "errand.plugins" else [])
    assert [plugin.label for plugin in load()] == ["inventory"]


PLUGIN = (
    "from store.plugins import Plugin\nplugin = Plugin(name={name!r}, label={label!r}, models={models!r})\n"
)


def test_what_is_wrong_with_a_plugin_is_said_in_a_sentence(load):
    load.package("fails_to_import", "import no_such_dependency")
    load.package("raises", "raise RuntimeError('on purpose')")
    load.package("plain_package", "")
    load.package("bad_label", PLUGIN.format(name="Bad", label="Bad-label", models=None))
    load.package("rival", PLUGIN.format(name="Rival", label="inventory", models=None))
    load.package("no_models", PLUGIN.format(name="No models", label="none", models="no_models.models"))
    for names, sentence in [
        (["no_such_package"], r"plugin package no_such_package cannot be found"),
        (["fails_to_import"], r"it needs no_such_dependency, which is missing"),
        (["raises"], r"cannot be imported: RuntimeError: on purpose"),
        (["plain_package"], r"plain_package is no plugin: it has no `plugin = Plugin\(...\)`"),
        (["bad_label"], r"has the label 'Bad-label'"),
        (
            ["examples.inventory", "rival"],
            r"'Network inventory' and 'Rival' both claim the label 'inventory'",
        ),
        (["no_models"], r"models of the plugin 'No models' cannot be found"),
        ([".relative"], r"cannot be imported"),
    ]:
        with pytest.raises(PluginError, match=sentence):
            load(*names)


def test_options_that_name_no_field_or_an_empty_one_are_refused(load):
    model = (
        "from sqlalchemy.orm import Mapped\n"
        "from store.objects import ObjectModel, Options\n"
        "class Rack(ObjectModel):\n"
        "    __tablename__ = 'test_{label}_racks'\n"
        "    options = Options({options})\n"
        "    name: Mapped[str | None]\n"
    )
    for label, options, sentence in [
        ("nullable", "", r"Rack.name may be empty, so nothing can be ordered by it"),
        ("unknown", "ordering=('id',), search_fields=('colour',)", r"Rack has no field 'colour'"),
    ]:
        source = PLUGIN.format(name=label, label=label, models=f"{label}_plugin.models")
        load.package(f"{label}_plugin", source, models=model.format(label=label, options=options))
        with pytest.raises(PluginError, match=sentence):
            load(f"{label}_plugin")


def test_naming_a_plugin_imports_neither_models_nor_jobs():
    code = (
        "import sys, examples.inventory; "
        "print([name for name in sys.modules if name.startswith(('examples.inventory.', 'store.objects', 'jobs'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(PROJECT_ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_what_is_wrong_with_variables_and_dialects_is_said_in_a_sentence(load):
    plugin = (
        "from store.plugins import Plugin\n"
        "plugin = Plugin(name={name!r}, label={name!r}, {hook}='{name}_plugin.part')\n"
    )
    for name, hook, code, sentence in [
        ("absent", "variables", None, "variables of the plugin 'absent' cannot be found"),
        ("taken", "variables", "import jobs\nclass TextVar(jobs.TextVar): pass", "two kinds of variables are called TextVar"),
        ("nameless", "dialects", "from jobs.lifecycle import Life\nclass Own(Life): pass", "Own must say what its dialect is called"),
    ]:  # fmt: skip
        load.package(
            f"{name}_plugin", plugin.format(name=name, hook=hook), **({"part": code} if code else {})
        )
        with pytest.raises(PluginError, match=sentence):
            load(f"{name}_plugin")


def test_describing_jobs_needs_kinds_and_dialects_but_no_models():
    code = (
        "import sys; from store.plugins import load_words; load_words(['examples.inventory']); "
        "from jobs.kinds import KINDS; from jobs.dialects import brought; "
        "print('AssetTagVar' in KINDS, brought, [name for name in sys.modules if name.startswith('sqlalchemy')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(PROJECT_ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "True {'plan'} []"


def test_a_model_has_the_label_of_its_plugin_before_anybody_registers_it(load):
    model = (
        "from sqlalchemy.orm import Mapped\n"
        "from store.objects import ObjectModel\n"
        "class Crate(ObjectModel):\n"
        "    __tablename__ = 'test_labelled_crates'\n"
        "    name: Mapped[str]\n"
    )
    load.package("acme_storage", PLUGIN.format(name="Storage", label="storage", models=None), models=model)
    assert importlib.import_module("acme_storage.models").Crate.object_type == "storage.crate"
