"""Times as people write them on a command line."""

import argparse


def seconds(text: str) -> float:
    """A time such as 10, 10s, 500ms or 2m, in seconds.

    Raises:
        argparse.ArgumentTypeError: It is none, or none between 0 and a day.
    """
    for unit, factor in (("ms", 0.001), ("s", 1.0), ("m", 60.0), ("", 1.0)):
        if unit and not text.endswith(unit):
            continue
        try:
            value = float(text.removesuffix(unit)) * factor
        except ValueError:
            continue
        if 0 < value < 86400:
            return value
    raise argparse.ArgumentTypeError(f"{text!r} is no time such as 10s, 500ms or 2m")
