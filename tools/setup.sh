#!/bin/sh
# Make the virtual environment, or say what is missing. The oldest Python that is supported goes
# first: what passes there is not held up by a newer one's additions. PYTHON names another.
set -eu
venv=$1
for name in ${PYTHON:-} python3.11 python3.12 python3.13 python3.14 python3; do
    if command -v "$name" >/dev/null 2>&1 &&
        "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        if ! "$name" -c 'import venv, ensurepip' 2>/dev/null; then
            echo "$name has no venv module; on Debian: apt-get install python3-venv" >&2
            exit 1
        fi
        "$name" -m venv "$venv"
        exit 0
    fi
done
echo "Python 3.11 or newer is needed, and none was found; set PYTHON to its path." >&2
if command -v python3 >/dev/null 2>&1; then
    echo "What is here: $(python3 --version 2>&1), $(command -v python3)" >&2
fi
exit 1
