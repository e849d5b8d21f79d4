"""Addresses, prefixes and VLANs, as far as plugins have such models."""

from jobs.shims.models import models_of

__getattr__ = models_of(__name__)
