#!/usr/bin/env bash
# Step 2 of the image: the release build of the server and the client.
#   usage: build.sh [--tests [OPTION...]]
#     --tests   the test suite too, with the release build's flags; OPTIONs are
#               those of cmake
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ ${1-} == --tests ]]; then
  cmake --preset release --log-level=WARNING -DSALIENCY_TESTS=ON "${@:2}"
  deploy/build.sh release
else
  deploy/build.sh release saliency-server saliency
fi
