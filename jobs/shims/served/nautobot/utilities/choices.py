"""What sets of choices are made of."""

from jobs.shims.choices import ChoiceSet

__all__ = ["ChoiceSet"]
