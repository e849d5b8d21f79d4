"""What a run printed and what it returned, each said once where both say the same."""

from typing import Any

from store.models import JobResult


def told_output(result: JobResult) -> str:
    """Return what a run printed; empty where it is nothing but Python's text of the return value, which says it better."""
    value = result.return_value
    is_only_its_text = (
        value is not None and not isinstance(value, str) and result.output.strip() == str(value)
    )
    return "" if is_only_its_text else result.output.strip("\n")


def told_return_value(result: JobResult) -> Any:
    """Return what a run returned; None where the output says the same as text."""
    value = result.return_value
    return None if isinstance(value, str) and value.strip() == result.output.strip() else value
