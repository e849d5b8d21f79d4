"""What can become of a message on its way."""


class Trouble(Exception):
    """It did not work, and may later; the text is a sentence."""

    def __init__(self, sentence: str, *, whole: bool = False, retry_after: int = 0) -> None:
        super().__init__(sentence)
        #: Nothing gets there now: other messages for the same place need not be tried.
        self.whole = whole
        #: For how many seconds the other side wants to be left alone.
        self.retry_after = retry_after


class Undeliverable(Exception):
    """It will never work; the text is a sentence."""
