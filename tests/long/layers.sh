#!/usr/bin/env bash
# Checks the layers that are looked at by default, and combined, in one network of
# each of torchvision's families, scripted and traced, against the network itself
# (layers.py); skipped, with a line that says so, where torchvision is not here.
#   usage: layers.sh [--server PROGRAM] [NETWORK...]
set -euo pipefail
cd "$(dirname "$0")/../.."

server=build/dev/bin/saliency-server
if [[ ${1:-} == --server ]]; then
  server=$2
  shift 2
else
  deploy/install_packages.sh build run test
  deploy/build.sh dev saliency-server
fi
exec /usr/bin/python3 tests/long/layers.py "$server" "$@"
