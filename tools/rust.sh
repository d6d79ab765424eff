#!/bin/sh
# Say what is missing for building the engine.
set -eu
need=1.88
if ! command -v cargo >/dev/null 2>&1 || ! command -v rustc >/dev/null 2>&1; then
    echo "The engine is written in Rust: rustc and cargo $need or newer are needed." >&2
    echo "Get them from https://rustup.rs, or set PATH to where they are." >&2
    exit 1
fi
have=$(rustc --version | cut -d' ' -f2 | cut -d. -f1,2)
if [ "$(printf '%s\n%s\n' "$need" "$have" | sort -V | head -n1)" != "$need" ]; then
    echo "The engine needs rustc $need or newer; this is $have. With rustup: rustup update" >&2
    exit 1
fi
if ! command -v cc >/dev/null 2>&1; then
    echo "A C linker is needed (cc); on Debian: apt-get install gcc libc6-dev" >&2
    exit 1
fi
