"""Sets of choices as Nautobot has them."""

from collections.abc import Iterator
from typing import Any, ClassVar


class _Choices(type):
    CHOICES: ClassVar[Any]

    def __call__(cls, *_: Any, **__: Any) -> Any:
        return cls.CHOICES

    def __iter__(cls) -> Iterator[Any]:
        return iter(cls.CHOICES)


class ChoiceSet(metaclass=_Choices):
    """Subclass it with a list of pairs: CHOICES = (("a", "Apple"), ...), or of (group, pairs)."""

    CHOICES: ClassVar[Any] = ()

    @classmethod
    def as_dict(cls) -> dict[Any, Any]:
        return dict(_flat(cls.CHOICES))

    @classmethod
    def values(cls) -> list[Any]:
        return list(cls.as_dict())


def _flat(choices: Any) -> Iterator[tuple[Any, Any]]:
    for first, second in choices:
        if isinstance(second, list | tuple):
            yield from _flat(second)
        else:
            yield first, second
