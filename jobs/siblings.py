"""Which other files of its source a job's file imports: an edit of one changes the job, too."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path


def siblings_of(package: str, name: str, loaded: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Return {module: digest} of what a module imports of its own source, directly or by way of others.

    package: what the modules of its source stand below; name: the module, with the package.
    loaded: {module: (path, digest)} of all that was loaded. Modules are returned without the package.
    What a file imports by other means than import statements is not seen.
    """
    found: dict[str, str] = {}
    waiting = [name]
    while waiting:
        current = waiting.pop()
        for other in _imports(package, current, loaded):
            if other != name and other.removeprefix(f"{package}.") not in found:
                found[other.removeprefix(f"{package}.")] = loaded[other][1]
                waiting.append(other)
    return found


def _imports(package: str, name: str, loaded: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    path = Path(loaded[name][0])
    inside = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(_parsed(path)):
        for wanted in _names(node, package, inside):
            # `import a.b.c` runs all three, and `from a import b` perhaps a module b.
            parts = wanted.split(".")
            for end in range(len(parts), 0, -1):
                if (module := ".".join(parts[:end])) in loaded:
                    yield module


def _parsed(path: Path) -> ast.AST:
    try:
        return ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        # It was loaded a moment ago, and is being edited now: the next look sees that.
        return ast.Module([], [])


def _names(node: ast.AST, package: str, inside: str) -> Iterator[str]:
    """Yield the full names of the modules that a statement may import, if they are of this source."""
    if isinstance(node, ast.Import):
        yield from (f"{package}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = inside.rsplit(".", node.level - 1)[0] if node.level else package
        start = f"{base}.{node.module}" if node.module else base
        yield from (f"{start}.{alias.name}" for alias in node.names)
