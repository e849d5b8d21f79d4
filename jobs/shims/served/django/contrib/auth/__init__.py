"""People."""

from typing import NoReturn


def get_user_model() -> NoReturn:
    raise NotImplementedError("A run cannot look up people; `self.user` is the person who asked for it.")
