"""What is wrong with a template, and where."""


class ParseError(Exception):
    """A template that cannot be understood.

    Args:
        message: What is wrong.
        filename: The template's name.
        lineno: The line, from 1.
    """

    def __init__(self, message: str, filename: str | None = None, lineno: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.filename = filename
        self.lineno = lineno

    def __str__(self) -> str:
        return f"{self.message} at {self.filename}:{self.lineno}"
