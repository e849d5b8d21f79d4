"""Taking credentials out of texts."""

from jobs.shims.sanitizer import sanitize

__all__ = ["sanitize"]
