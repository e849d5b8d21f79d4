"""The exception that rolls back and is no error."""

from jobs import AbortTransaction

__all__ = ["AbortTransaction"]
