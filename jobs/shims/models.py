"""Models by their names, whichever plugin has them."""

from collections.abc import Callable, Mapping
from typing import Any

from jobs.shims import finder
from jobs.shims.absent import absent


def models_of(module: str, sentences: Mapping[str, str] | None = None) -> Callable[[str], Any]:
    """Return a `__getattr__` for a served module of models.

    sentences: names that are no models of plugins (see `absent`).
    """
    missing = absent(module, sentences or {})

    def find(name: str) -> Any:
        if name == "__all__":
            return _unmistakable()
        if name in (sentences or {}) or not name[:1].isupper():
            return missing(name)
        return _model(module, name)

    return find


def _model(module: str, name: str) -> Any:
    known = _known()
    fitting = {path: model for path, model in known.items() if model.__name__ == name}
    application = module.split(".")[-2]
    if f"{application}.{name.lower()}" in fitting:
        return fitting[f"{application}.{name.lower()}"]
    if len(fitting) == 1:
        return next(iter(fitting.values()))
    if fitting:
        raise ImportError(
            f"Several plugins have a model {name}: {', '.join(fitting)}. "
            "Import it from the plugin's own package instead."
        )
    raise ImportError(
        f"{module} has no {name}: no plugin of this portal has a model of that name. "
        "Add a plugin that has one to ERRAND_PLUGINS. "
        f"Models there are: {', '.join(sorted({model.__name__ for model in known.values()})) or 'none'}."
    )


def _unmistakable() -> list[str]:
    """Return the names that only one model has."""
    names = [model.__name__ for model in _known().values()]
    return sorted(name for name in names if names.count(name) == 1)


def _known() -> dict[str, Any]:
    # Imported here: discovery, which has no database, does without them until a file asks for a model.
    from store.plugins import load_named
    from store.registry import models

    if not models():
        load_named(finder.plugins)
    return {path: info.model for path, info in models().items()}
