"""The settings of Nautobot that job files read."""

from typing import Any

from jobs.shims.sanitizer import PATTERNS


class _Settings:
    CELERY_TASK_DEFAULT_QUEUE = "default"
    CELERY_TASK_SOFT_TIME_LIMIT = 300
    CELERY_TASK_TIME_LIMIT = 600
    DEBUG = False
    JOB_CREATE_FILE_MAX_SIZE = 10 * 1024 * 1024
    SANITIZER_PATTERNS = PATTERNS
    TIME_ZONE = "UTC"

    @property
    def JOBS_ROOT(self) -> str:
        """The first folder of the job files."""
        from jobs.loading import installed

        return next((folder for source in installed for folder in source.folders), "")

    GIT_ROOT = JOBS_ROOT

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"There is no setting {name} here: read it from the environment, or from a file beside the job."
        )


settings = _Settings()
