"""Objects, the things jobs work on: the one module plugins, pages and workers import for them."""

from store.changes import changes_of, count_changes, take_changes
from store.data import Data, NoSession, ReadOnlySession, WriteTurnTimeout, current_session
from store.lookups import BadValue, FieldError
from store.object_lookup import LookupFailed, ObjectLookup
from store.object_model import ObjectModel, Options, ProtectedError, ValidationError
from store.object_search import Page, SearchRefused, UnknownParameter, search, text_of
from store.queryset import DoesNotExist, MultipleObjectsReturned, QuerySet
from store.reflected import reflect
from store.registry import (
    Column,
    ModelInfo,
    RegistrationError,
    UnknownModel,
    get_model,
    model_info,
    models,
    referring,
    register_model,
)
from store.run_markers import run_markers

__all__ = [
    "BadValue",
    "Column",
    "Data",
    "DoesNotExist",
    "FieldError",
    "LookupFailed",
    "ModelInfo",
    "MultipleObjectsReturned",
    "NoSession",
    "ObjectLookup",
    "ObjectModel",
    "Options",
    "Page",
    "ProtectedError",
    "QuerySet",
    "ReadOnlySession",
    "RegistrationError",
    "SearchRefused",
    "UnknownModel",
    "UnknownParameter",
    "ValidationError",
    "WriteTurnTimeout",
    "changes_of",
    "count_changes",
    "current_session",
    "get_model",
    "model_info",
    "models",
    "referring",
    "reflect",
    "register_model",
    "run_markers",
    "search",
    "take_changes",
    "text_of",
]
