"""`eyewall completion`: what a shell needs to complete the command's words."""

import argparse
import shlex
from collections.abc import Iterator
from typing import Final

from eyewall.base.errors import ConfigurationError

SHELLS: Final = ("bash", "zsh", "fish")

_BASH: Final = """\
_eyewall() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} path=eyewall word
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "$path $word" in
{paths}
        esac
    done
    local words
    case "$path" in
{words}
    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    if [[ ${{#COMPREPLY[@]}} -eq 0 ]]; then
        COMPREPLY=($(compgen -f -- "$current"))
    fi
}}
complete -F _eyewall eyewall
"""

_ZSH: Final = "#compdef eyewall\nautoload -U +X bashcompinit && bashcompinit\n"


def completion(shell: str, parser: argparse.ArgumentParser) -> str:
    """The script that a shell reads.

    Args:
        shell: "bash", "zsh" or "fish".
        parser: The command's.

    Raises:
        ConfigurationError: Another shell.
    """
    known = dict(_commands(parser, "eyewall"))
    if shell == "bash":
        return _bash(known)
    if shell == "zsh":
        return _ZSH + _bash(known)
    if shell == "fish":
        return "\n".join([*_fish(parser, ()), ""])
    raise ConfigurationError(f"there is no completion for {shell!r}, but for {', '.join(SHELLS)}")


def _subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to look at a parser
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - see above
            return dict(action.choices)
    return {}


def _flags(parser: argparse.ArgumentParser) -> list[str]:
    return [
        flag
        for action in parser._actions  # noqa: SLF001 - see above
        for flag in action.option_strings
        if flag.startswith("--")
    ]


def _choices(parser: argparse.ArgumentParser) -> list[str]:
    return [
        str(choice)
        for action in parser._actions  # noqa: SLF001 - see above
        if not action.option_strings
        and action.choices is not None
        and not isinstance(action, argparse._SubParsersAction)  # noqa: SLF001 - see above
        for choice in action.choices
    ]


def _commands(parser: argparse.ArgumentParser, path: str) -> Iterator[tuple[str, list[str]]]:
    """Each command with its verbs, and the words that may follow it."""
    subs = _subparsers(parser)
    yield path, [*subs, *_choices(parser), *_flags(parser)]
    for name, sub in subs.items():
        yield from _commands(sub, f"{path} {name}")


def _bash(known: dict[str, list[str]]) -> str:
    paths = [
        f"            {shlex.quote(path)}) path={shlex.quote(path)} ;;"
        for path in known
        if " " in path
    ]
    words = [
        f"        {shlex.quote(path)}) words={shlex.quote(' '.join(words))} ;;"
        for path, words in known.items()
    ]
    return _BASH.format(paths="\n".join(paths), words="\n".join(words))


def _fish(parser: argparse.ArgumentParser, path: tuple[str, ...]) -> Iterator[str]:
    subs = _subparsers(parser)
    seen = " ".join(f"__fish_seen_subcommand_from {name};" for name in path).replace(
        "; _", "; and _"
    )
    others = f"not __fish_seen_subcommand_from {' '.join(subs)}" if subs else ""
    condition = "; and ".join(part for part in (seen.rstrip(";"), others) if part)
    head = "complete -c eyewall" + (f" -n {shlex.quote(condition)}" if condition else "")
    for word in (*subs, *_choices(parser)):
        yield f"{head} -f -a {shlex.quote(word)}"
    for flag in _flags(parser):
        yield f"{head} -l {flag.removeprefix('--')}"
    for name, sub in subs.items():
        yield from _fish(sub, (*path, name))
