"""What goes wrong with objects: the very exceptions that models here raise."""

from store.objects import DoesNotExist as ObjectDoesNotExist
from store.objects import FieldError, MultipleObjectsReturned, ValidationError

__all__ = ["FieldError", "MultipleObjectsReturned", "ObjectDoesNotExist", "ValidationError"]
