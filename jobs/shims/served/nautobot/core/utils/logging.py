"""Taking credentials out of texts, where Nautobot 2.x has it."""

from jobs.shims.sanitizer import sanitize

__all__ = ["sanitize"]
