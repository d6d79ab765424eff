"""Options of the command line and of files, under Tornado's names."""

from eyewall.base.options import (
    Error,
    OptionParser,
    add_parse_callback,
    define,
    options,
    parse_command_line,
    parse_config_file,
    print_help,
)

__all__ = [
    "Error",
    "OptionParser",
    "add_parse_callback",
    "define",
    "options",
    "parse_command_line",
    "parse_config_file",
    "print_help",
]
