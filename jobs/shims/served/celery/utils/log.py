"""Loggers of tasks, which jobs are."""

from jobs import get_task_logger

__all__ = ["get_task_logger"]
