#!/bin/sh
# Make the virtual environment with the newest suitable Python, or say what is missing.
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
echo "Python 3.11 or newer is needed, and none was found; set PYTHON to its path" >&2
exit 1
