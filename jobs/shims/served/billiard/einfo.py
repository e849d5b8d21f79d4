"""An exception with what is known of it."""

from jobs.exception_info import ExceptionInfo

__all__ = ["ExceptionInfo"]
