#!/usr/bin/python3
"""Exports a torchvision classifier as a model folder that the server loads.

    torchvision_model.py resnet50 --out models --weights resnet50.pth
    torchvision_model.py vgg16 --out models --seed 1

writes models/<name>/config.pbtxt and models/<name>/1/model.pt.  Without
--weights the network keeps its seeded random initialisation: right for
benchmarks, meaningless for explanations.
"""

import argparse
import pathlib

import torch
import torchvision

# Shallow to deep: what a combination of layers is made of by default.
COMBINE_LAYERS = {
    "resnet": ["layer1", "layer2", "layer3", "layer4"],
    "vgg16": ["features.3", "features.8", "features.15", "features.22",
              "features.29"],
}


def build(name, weights, seed):
    """The network in eval mode, on the CPU, float32."""
    torch.manual_seed(seed)
    network = getattr(torchvision.models, name)(weights=None)
    if weights:
        network.load_state_dict(torch.load(weights, map_location="cpu"))
    return network.eval()


def config_text(name):
    """config.pbtxt: ImageNet preprocessing is the server's default."""
    lines = ["input { height: 224 width: 224 geometry: GEOMETRY_SQUASH }"]
    for family, layers in COMBINE_LAYERS.items():
        if name.startswith(family):
            lines += [f'default_layers: "{layers[-1]}"']
            lines += [f'combine_layers: "{layer}"' for layer in layers]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", help="a function of torchvision.models")
    parser.add_argument("--out", required=True, type=pathlib.Path,
                        help="model repository to write into")
    parser.add_argument("--weights", help="state_dict file (.pth)")
    parser.add_argument("--seed", type=int, default=0,
                        help="of the random weights")
    parser.add_argument("--trace", action="store_true",
                        help="trace at 1x3x224x224 instead of scripting")
    args = parser.parse_args()

    network = build(args.name, args.weights, args.seed)
    if args.trace:
        script = torch.jit.trace(network, torch.zeros(1, 3, 224, 224))
    else:
        script = torch.jit.script(network)
    version = args.out / args.name / "1"
    version.mkdir(parents=True, exist_ok=True)
    script.save(str(version / "model.pt"))
    (args.out / args.name / "config.pbtxt").write_text(config_text(args.name))
    print(version / "model.pt")


if __name__ == "__main__":
    main()
