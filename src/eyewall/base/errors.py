"""The exceptions that every layer may raise.

EyewallError
    ConfigurationError    an option, a file or an argument that cannot be used
    StartupError          a program that cannot be started; the command exits with 3
"""


class EyewallError(Exception):
    """Base of the framework's own exceptions."""


class ConfigurationError(EyewallError, ValueError):
    """An option, a file or an argument cannot be used; the message says which and why."""


class StartupError(EyewallError):
    """The program cannot be started; the message is one line for the person who started it."""
