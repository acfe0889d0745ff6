"""Errors that a user can act on."""


class InputError(ValueError):
    """Bad input from outside: a file, an option, an instance, a bundle.

    The message is one line that names the place (file, line or field), the value found and
    what was expected. The command line prints it and exits with status 2.
    """

    def __init__(self, where: object, problem: str) -> None:
        """Args: where: file, field or option at fault. problem: what was found and expected."""
        super().__init__(" ".join(f"{where}: {problem}".split()))


class NotWritten(InputError):
    """A file or folder that can't be written: no space, no permission, or something in the way."""


class Interrupted(KeyboardInterrupt):
    """A signal asked the program to end.

    Attributes:
        status: exit status that shells give to a program that it stopped.
    """

    def __init__(self, number: int) -> None:
        """Args: number: of the signal."""
        super().__init__()
        self.status = 128 + number
