"""One file with all that an instance has: both databases and the folder with its keys and files."""

from worker.backup.archive import BackupError, Manifest
from worker.backup.make import last_backup, make
from worker.backup.restore import restore

__all__ = ["BackupError", "Manifest", "last_backup", "make", "restore"]
