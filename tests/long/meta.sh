#!/usr/bin/env bash
# Meta steps at length: both paths agree on torchvision's networks, and 10,000
# mixed calls, failing ones among them, leave a model as it was.
#   usage: meta.sh [GTEST_ARGUMENT...]
set -euo pipefail
cd "$(dirname "$0")/../.."

networks=(resnet50 vgg16 mobilenet_v2 densenet121)
models=build/dev/long_models
python=/usr/bin/python3  # the one that Debian's python3-torch belongs to

deploy/install_packages.sh build run test
deploy/build.sh dev meta_long_test
for network in "${networks[@]}"; do
  [[ -f $models/$network/1/model.pt ]] && continue
  rm -rf "$models.part"
  $python deploy/export/torchvision_model.py "$network" --seed 1 \
    --out "$models.part" >/dev/null
  mkdir -p $models
  mv "$models.part/$network" $models/
done
build/dev/bin/meta_long_test "$@" $models
