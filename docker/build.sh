#!/usr/bin/env bash
# Step 2 of the image: the release build of the server and the client.
set -euo pipefail
cd "$(dirname "$0")/.."

deploy/build.sh release saliency-server saliency
