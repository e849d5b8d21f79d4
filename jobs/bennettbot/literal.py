"""Finds `raw_config` in the text of a job file: as data where it is written out, without running anything of the file."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jobs.bennettbot.faults import Place

NAME = "raw_config"

#: Where it is in a repository of bennettbot.
FILE = "job_configs.py"

#: What makes the configuration of it, in the file itself or imported: reading it does the same.
_BUILDER = "build_config"


@dataclass(frozen=True)
class Written:
    """The `raw_config` of a file."""

    node: ast.expr
    #: Whether its value can be read off the text; otherwise the file has to be imported.
    whole: bool

    def value(self) -> Any:
        return ast.literal_eval(self.node)

    def line_of(self, place: Place) -> int:
        """Return the line where a place in it is written; where that is not, the line of what is nearest around it."""
        node, line = self.node, self.node.lineno
        for part in place:
            found = _below(node, part)
            if found is None:
                break
            line, node = found
        return line


def written_in(source: bytes) -> Written | None:
    """Return what a file has under the name; None where it has nothing, or is no Python."""
    if NAME.encode() not in source:
        return None
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None  # Whoever imports it will say so.
    nodes = [(statement, node) for statement in body if (node := _assigned(statement))]
    if not nodes:
        return None
    statement, node = nodes[-1]
    rest = [each for each in body if each is not statement]
    whole = _is_literal(node) and not any(map(_touches, rest))
    return Written(node, whole) if whole or isinstance(node, ast.Dict | ast.Call | ast.BinOp) else None


def _assigned(statement: ast.stmt) -> ast.expr | None:
    """Return what a statement assigns to the name."""
    targets = (
        statement.targets
        if isinstance(statement, ast.Assign)
        else [statement.target]
        if isinstance(statement, ast.AnnAssign)
        else []
    )
    named = any(isinstance(target, ast.Name) and target.id == NAME for target in targets)
    return statement.value if named and isinstance(statement, ast.Assign | ast.AnnAssign) else None


def _is_literal(node: ast.expr) -> bool:
    try:
        return isinstance(ast.literal_eval(node), dict)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False


def _touches(statement: ast.stmt) -> bool:
    """Tell whether another statement may change it, or makes jobs of its own that only an import would bring."""
    if isinstance(statement, ast.ClassDef):
        return True
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        return bool(statement.decorator_list)
    return any(_uses(node) for node in _without_building(statement))


def _without_building(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield the nodes of a statement, but for those within `build_config(raw_config)`."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call) and _name_of(node.func) == _BUILDER:
            continue
        yield node
        waiting.extend(ast.iter_child_nodes(node))


def _name_of(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _uses(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == NAME


def _below(node: ast.expr, part: str | int) -> tuple[int, ast.expr] | None:
    """Return line and node of what is under a key, or at a position."""
    if isinstance(node, ast.Dict):
        for key, value in reversed(list(zip(node.keys, node.values, strict=True))):
            if isinstance(key, ast.Constant) and str(key.value) == part:
                return key.lineno, value
    if isinstance(node, ast.List | ast.Tuple) and isinstance(part, int) and part < len(node.elts):
        return node.elts[part].lineno, node.elts[part]
    return None
