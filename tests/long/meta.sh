#!/usr/bin/env bash
# Meta steps at length: each parameter of torchvision's networks moves as
# autograd says, both paths agree on their maps, and 10,000 mixed calls on each
# path and 10,000 requests to an engine, failing and cancelled ones among them,
# leave a model as it was.  Writes 4 GB of models below build/dev.
#   usage: meta.sh [GTEST_ARGUMENT...]
set -euo pipefail
cd "$(dirname "$0")/../.."

networks=(resnet50 vgg16 mobilenet_v2 densenet121)
models=build/dev/long_models
python=/usr/bin/python3  # the one that Debian's python3-torch belongs to

deploy/install_packages.sh build run test
deploy/build.sh dev meta_long_test step_long_test engine_model_test
for network in "${networks[@]}"; do
  [[ -f $models/$network/1/model.pt ]] && continue
  rm -rf "$models.part"
  $python deploy/export/torchvision_model.py "$network" --seed 1 \
    --out "$models.part" >/dev/null
  mkdir -p $models
  mv "$models.part/$network" $models/
done
# The same without kinks: what the paths round differently stays small.
$python - $models <<'END'
import os, sys, torch, torchvision
from torch import nn

def smooth(module):
    for name, child in module.named_children():
        if isinstance(child, nn.ReLU):
            setattr(module, name, nn.GELU())
        elif isinstance(child, nn.MaxPool2d):
            setattr(module, name, nn.AvgPool2d(
                child.kernel_size, child.stride, child.padding))
        else:
            smooth(child)

for name in "resnet50", "vgg16":
    folder = f"{sys.argv[1]}/{name}_smooth/1"
    if os.path.exists(folder + "/model.pt"):
        continue
    torch.manual_seed(1)
    network = getattr(torchvision.models, name)()
    smooth(network)
    os.makedirs(folder, exist_ok=True)
    torch.jit.script(network.eval()).save(folder + "/model.pt.part")
    os.rename(folder + "/model.pt.part", folder + "/model.pt")
END
steps=build/dev/step_models
if [[ ! -d $steps ]]; then
  $python tests/long/step_models.py $steps.part
  mv $steps.part $steps
fi
build/dev/bin/step_long_test "$@" $steps
build/dev/bin/meta_long_test "$@" $models
SALIENCY_META_CALLS=10000 build/dev/bin/engine_model_test \
  --gtest_filter='EngineMetaMixtureTest.*'
