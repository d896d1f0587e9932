#!/usr/bin/env bash
# Asks for every method in one network of each of torchvision's families, scripted
# and traced, and checks the maps against PyTorch (methods.py); skipped, with a line
# that says so, where torchvision is not here.
#   usage: methods.sh [--server PROGRAM] [NETWORK...]
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
exec /usr/bin/python3 tests/long/methods.py "$server" "$@"
