"""What plugins of jobschleuder import."""

from jobs.schleuder.functions import Plugin, jobschleuder

__all__ = ["Plugin", "jobschleuder"]
