"""Check the shape of the tree: file lengths, and words that should not stay."""

import re
import subprocess
import sys
from pathlib import Path

LONGEST = 600
WORDS = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")


def main() -> int:
    """Print each fault on a line; 1 when there are any."""
    listed = subprocess.run(
        ["git", "ls-files", "src", "crates", "tests", "examples", "benchmarks", "docs"],  # noqa: S607 - git from PATH
        capture_output=True,
        text=True,
        check=True,
    )
    faults: list[str] = []
    for name in listed.stdout.split():
        path = Path(name)
        if path.suffix not in {".py", ".pyi", ".rs", ".md", ".js", ".css", ".html"}:
            continue
        if not path.exists():
            continue
        lines = path.read_text(encoding="utf-8").splitlines()
        if path.suffix in {".py", ".rs"} and len(lines) > LONGEST:
            faults.append(f"{name}: {len(lines)} lines; at most {LONGEST}, split it by concept")
        faults.extend(
            f"{name}:{number}: {line.strip()}"
            for number, line in enumerate(lines, 1)
            if WORDS.search(line)
        )
    for fault in faults:
        print(fault)  # noqa: T201 - a command's output
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
