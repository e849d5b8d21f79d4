"""Which classes a job file wants to be listed, where it says so itself."""

import sys

#: What each module has registered: {module: {name: class}}.
_registered: dict[str, dict[str, type]] = {}


def register_jobs(*classes: type) -> None:
    """List these classes, and no others, as the jobs of the module that calls this. To call it again adds to them."""
    module = str(sys._getframe(1).f_globals.get("__name__", ""))
    _registered.setdefault(module, {}).update({cls.__name__: cls for cls in classes})


def registered(module: str) -> list[type]:
    """Return what a module and those within it have registered."""
    return [
        cls
        for name, classes in _registered.items()
        if name == module or name.startswith(f"{module}.")
        for cls in classes.values()
    ]
