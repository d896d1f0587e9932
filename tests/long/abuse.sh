#!/usr/bin/env bash
# Does to the release server what strangers and careless callers might do, one
# attack after another, each against a fresh server under a limit of 4 GiB:
# it stays alive, serves others within their deadlines, holds no more memory
# than the attack's bound, and answers or refuses, and counts, every request.
#   usage: abuse.sh [--server PROGRAM] [--keep-logs FOLDER] [ATTACK...]
#     ATTACK   names of files in abuse/attacks without .py; default: all
# Everything is sent over loopback.  Prints the rows of tests/RELIABILITY.md.
# Needs python3-grpcio and root for the limits; without a writable cgroup the
# memory is measured and not limited.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [[ " $* " != *" --server "* ]]; then
  deploy/install_packages.sh build run test
  deploy/build.sh release saliency-server
  set -- --server build/release/bin/saliency-server "$@"
fi
exec /usr/bin/python3 tests/long/abuse/run.py "$@"
