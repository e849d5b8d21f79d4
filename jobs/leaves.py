"""Which classes are subclassed somewhere in their source: in some dialects those are bases, and no jobs.

Loaded classes tell of themselves. Files that are not loaded, or cannot be, are read: a look at one module must find
the same as a look at all of them.
"""

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

Files = Mapping[str, Path]


def is_leaf(cls: type, module: str, folders: Sequence[str]) -> bool:
    """Tell whether nothing subclasses a class of a module, whose source has these folders."""
    if any(map(_is_there, cls.__subclasses__())):
        return False
    files = _files(folders)
    return not any((module, cls.__name__) in _bases(files, name) for name in files if name != module)


def _is_there(cls: type) -> bool:
    """Tell whether a class is what its module has by now: one that was loaded before may linger."""
    return getattr(sys.modules.get(cls.__module__), cls.__name__, None) is cls


def _files(folders: Sequence[str]) -> Files:
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(Path(folder).glob("*.py")):
            found.setdefault(path.stem, path)
        for path in sorted(Path(folder).glob("*/__init__.py")):
            found.setdefault(path.parent.name, path)
    return found


def _bases(files: Files, name: str) -> set[tuple[str, str]]:
    """Return (module, class) of what the classes of a module subclass, as far as it is in these files."""
    bases = _read(files[name]).bases
    found = (_defined(files, name, base, set(), besides=cls) for cls, base in bases)
    return {each for each in found if each is not None}


def _defined(
    files: Files, module: str, dotted: str, seen: set[tuple[str, str]], besides: str = ""
) -> tuple[str, str] | None:
    """Return where the class is defined that a module has under this name."""
    if module not in files or (module, dotted) in seen:
        return None
    seen.add((module, dotted))
    text = _read(files[module])
    first, _, rest = dotted.partition(".")
    # What a class names as its base is not itself, but what had the name before.
    if not rest and first in text.classes and first != besides:
        return module, first
    if first in text.imported:
        other, name = text.imported[first]
        wanted = ".".join(filter(None, (name, rest)))
        return _defined(files, other, wanted, seen) if wanted else None
    if first in text.modules and rest:
        return _defined(files, text.modules[first], rest.rpartition(".")[2], seen)
    return next((found for star in text.stars if (found := _defined(files, star, dotted, seen))), None)


class _Text:
    """What the text of a module says of its classes and imports; modules by the last part of their names."""

    def __init__(self, tree: ast.AST) -> None:
        self.classes: set[str] = set()
        #: Classes, and their bases as they are written.
        self.bases: set[tuple[str, str]] = set()
        #: {name: (module, its name there)}
        self.imported: dict[str, tuple[str, str]] = {}
        #: {name: module}
        self.modules: dict[str, str] = {}
        self.stars: list[str] = []
        for node in ast.walk(tree):
            self._take(node)

    def _take(self, node: ast.AST) -> None:
        if isinstance(node, ast.ClassDef):
            self.classes.add(node.name)
            written = (ast.unparse(base) for base in node.bases if isinstance(base, ast.Name | ast.Attribute))
            self.bases |= {(node.name, base) for base in written}
        elif isinstance(node, ast.Import):
            for alias in node.names:
                self.modules[alias.asname or alias.name.partition(".")[0]] = _last(alias.name)
        elif isinstance(node, ast.ImportFrom):
            for module, alias in _pairs(node):
                if alias.name == "*":
                    self.stars.append(module)
                elif module:
                    self.imported[alias.asname or alias.name] = (module, alias.name)
                else:
                    self.modules[alias.asname or alias.name] = alias.name


def _pairs(node: ast.ImportFrom) -> Iterator[tuple[str, ast.alias]]:
    yield from ((_last(node.module or ""), alias) for alias in node.names)


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _read(path: Path) -> _Text:
    try:
        facts = path.stat()
    except OSError:
        return _Text(ast.Module([], []))
    return _parsed(path, facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=2000)
def _parsed(path: Path, _changed_at: int, _size: int) -> _Text:
    try:
        return _Text(ast.parse(path.read_bytes()))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return _Text(ast.Module([], []))
