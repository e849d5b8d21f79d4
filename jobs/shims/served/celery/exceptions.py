"""What a job's soft time limit raises."""

from jobs import SoftTimeLimitExceeded

__all__ = ["SoftTimeLimitExceeded"]
