"""What tests of jobs import."""

from jobs.shims.absent import TESTING, absent

__getattr__ = absent(__name__, TESTING)
