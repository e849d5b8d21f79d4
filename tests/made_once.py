"""What the product makes once a process, kept for all tests of a process: each of them would make it anew."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from types import CodeType
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import pytest
from argon2 import PasswordHasher
from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy import ClauseElement
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache
from werkzeug.routing import Map, Rule, RuleFactory
from werkzeug.routing.matcher import StateMachineMatcher

from store import plugins, secrets

#: As the product has them.
product_hasher = secrets._hasher
compile_with_cache = ClauseElement._compile_w_cache


@contextmanager
def made_once_a_process() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(Flask.jinja_options, "bytecode_cache", CompiledTemplates())
        patch.setattr(Flask, "url_map_class", KeptRoutes)
        patch.setattr(plugins, "entry_points", functools.cache(plugins.entry_points))
        # The same algorithm; what guessing costs is the concern of one test (tests/store/test_people.py).
        cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        patch.setattr(secrets, "_hasher", lambda: cheap)
        statements = KeptStatements()
        patch.setattr(
            ClauseElement, "_compile_w_cache", lambda *given, **options: statements.compile(*given, **options)
        )
        yield


class KeptStatements:
    """Statements that are compiled for the first database of a kind, for all others of that kind.

    Each test has databases of its own, and to compile what a page asks them takes a third of its time.
    """

    def __init__(self) -> None:
        self._compiled: LRUCache[Any, Any] = LRUCache(5000)
        self._firsts: dict[tuple[Any, ...], DefaultDialect] = {}
        self._first_like: WeakKeyDictionary[DefaultDialect, DefaultDialect] = WeakKeyDictionary()

    def compile(self, statement: Any, dialect: DefaultDialect, *, compiled_cache: Any, **options: Any) -> Any:
        """Do as SQLAlchemy's method of a statement, whose cache is one engine's."""
        first = self._first_like.get(dialect)
        if first is None:
            first = self._firsts.setdefault(self._kind(dialect), dialect)
            self._first_like[dialect] = first
        cache = None if compiled_cache is None else self._compiled
        return compile_with_cache(statement, first, compiled_cache=cache, **options)

    @staticmethod
    def _kind(dialect: DefaultDialect) -> tuple[Any, ...]:
        """All that makes one dialect another one: how it was made, and what its server said of itself."""
        plain = (str, int, tuple, type(None))
        options = sorted((name, value) for name, value in vars(dialect).items() if isinstance(value, plain))
        return type(dialect), *options


class KeptRoutes(Map):
    """Addresses that are compiled for the first app that has the same ones: that is most of the making of an app."""

    _kept: ClassVar[dict[tuple[Any, ...], tuple[StateMachineMatcher, dict[str, list[Rule]]]]] = {}

    def __init__(self, *given: Any, **options: Any) -> None:
        self._given: list[Rule] = []
        self._settling = Lock()
        super().__init__(*given, **options)

    def add(self, rulefactory: RuleFactory) -> None:
        self._given += rulefactory.get_rules(self)
        self._remap = True

    def update(self) -> None:
        # Whoever matches, builds or lists addresses comes here first.
        if not self._remap:
            return
        with self._settling:
            if not self._remap:
                return
            key = (*self.converters.items(), *map(self._words, self._given))
            if key not in self._kept:
                self._compile()
                self._kept[key] = (self._matcher, self._rules_by_endpoint)
            self._matcher, self._rules_by_endpoint = self._kept[key]
            self._remap = False

    def _compile(self) -> None:
        self._matcher, self._rules_by_endpoint = StateMachineMatcher(self.merge_slashes), {}
        for rule in self._given:
            rule.map = None
            super().add(rule)
        super().update()

    @staticmethod
    def _words(rule: Rule) -> tuple[Any, ...]:
        """All that makes one rule another one, before it is bound to a map."""
        methods = tuple(sorted(rule.methods or ()))
        options = (rule.strict_slashes, rule.merge_slashes, rule.build_only, rule.alias, rule.websocket)
        answers = (rule.redirect_to, getattr(rule, "provide_automatic_options", None))
        return (
            rule.rule,
            rule.endpoint,
            methods,
            repr(rule.defaults),
            rule.subdomain,
            rule.host,
            options,
            answers,
        )


class CompiledTemplates(BytecodeCache):
    """Templates that are compiled by the first app that shows them, for all apps."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._kept.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key, bucket.checksum] = bucket.code
