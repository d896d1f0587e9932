#!/usr/bin/python3
"""Exports a torchvision classifier as a model folder that the server loads.

    torchvision_model.py resnet50 --out models --weights download
    torchvision_model.py resnet50 --out models --weights resnet50.pth
    torchvision_model.py vgg16 --out models --seed 1

writes models/<name>/config.pbtxt, models/<name>/labels.txt and
models/<name>/<version>/model.pt.  `--weights download` takes torchvision's best
published weights, from its cache or the network; a file holds a state_dict, of
any number of classes.  Without --weights the network keeps its seeded random
initialisation: right for benchmarks, meaningless for explanations.

A folder that is there keeps its config.pbtxt and labels.txt, unless
--overwrite-config is given.  Only `sha256` follows: it is the digest of the one
version, and goes when there are several.
"""

import argparse
import pathlib
import sys
import urllib.error

import torch
import torchvision
from torch import nn

import model_folder

DEFAULT_SIZE = 224


def published(name):
    """What torchvision knows of the network's best weights: their categories
    and preprocessing."""
    return torchvision.models.get_model_weights(name).DEFAULT


def num_classes_of(state):
    """The outputs of the last layer of a state_dict."""
    weights = [value for key, value in state.items()
               if key.endswith("weight") and value.dim() >= 2]
    return weights[-1].shape[0]


def build(name, weights, seed):
    """The network in eval mode, on the CPU, float32."""
    torch.manual_seed(seed)
    make = getattr(torchvision.models, name)
    if weights == "download":
        return make(weights=published(name)).eval()
    if weights is None:
        return make(weights=None).eval()
    state = torch.load(weights, map_location="cpu")
    network = make(weights=None, num_classes=num_classes_of(state))
    network.load_state_dict(state)
    return network.eval()


def last_of_each_size(features, size):
    """Names of the children of `features` behind which the maps shrink, and of
    the last."""
    ends = {}
    maps = torch.zeros(1, 3, size, size)
    with torch.no_grad():
        for name, child in features.named_children():
            maps = child(maps)
            ends[tuple(maps.shape[2:])] = f"features.{name}"
    return list(ends.values())


def combine_layers(name, network, size):
    """Shallow to deep, one layer of each resolution, as the paper takes them;
    empty where the server shall choose."""
    if isinstance(network, torchvision.models.ResNet):
        return ["layer1", "layer2", "layer3", "layer4"]
    if isinstance(network, torchvision.models.VGG):
        # The ReLU before each pool.
        return [f"features.{i - 1}"
                for i, layer in enumerate(network.features)
                if isinstance(layer, nn.MaxPool2d)]
    if name.startswith("mobilenet"):
        return last_of_each_size(network.features, size)
    if isinstance(network, torchvision.models.DenseNet):
        # A block's output is what its own layers have added so far; behind the
        # last one stands one more batch norm.
        return ["features.denseblock1", "features.denseblock2",
                "features.denseblock3", "features.norm5"]
    return []


def config_text(name, network, size):
    """config.pbtxt: the whole image, squashed to the input's size, since what
    a centre crop leaves out cannot be explained."""
    transform = published(name).transforms()
    lines = [
        "# proto-file: proto/saliency/v1/model_config.proto",
        "# proto-message: saliency.v1.ModelConfig",
        "input {",
        f"  height: {size}",
        f"  width: {size}",
        "  geometry: GEOMETRY_SQUASH",
        f"  mean: [{model_folder.numbers(transform.mean)}]",
        f"  std: [{model_folder.numbers(transform.std)}]",
        "}",
        "output_activation: OUTPUT_ACTIVATION_SOFTMAX",
    ]
    layers = combine_layers(name, network, size)
    if layers:
        lines.append(f'default_layers: "{layers[-1]}"')
    lines += [f'combine_layers: "{layer}"' for layer in layers]
    return "\n".join(lines) + "\n"


def labels_for(name, num_outputs, path):
    """The lines of labels.txt: of a file, or torchvision's own where there are
    as many outputs; empty else."""
    if path is not None:
        labels = path.read_text(encoding="utf-8").splitlines()
        if len(labels) != num_outputs:
            raise ValueError(f"--labels: {len(labels)} lines for {num_outputs} "
                             "classes")
        return labels
    categories = published(name).meta.get("categories", [])
    return categories if len(categories) == num_outputs else []


def torchscript(network, size, trace):
    if trace:
        return torch.jit.trace(network, torch.zeros(1, 3, size, size))
    return torch.jit.script(network)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", help="a function of torchvision.models, as "
                        "resnet50")
    parser.add_argument("--out", required=True, type=pathlib.Path,
                        help="model repository to write into")
    parser.add_argument("--weights", help="state_dict file (.pth), or "
                        "\"download\"; default: random")
    parser.add_argument("--labels", type=pathlib.Path,
                        help="file with one label a line; default: "
                        "torchvision's, where the number of classes is its")
    parser.add_argument("--overwrite-config", action="store_true",
                        help="write config.pbtxt and labels.txt anew where "
                        "they are there already")
    parser.add_argument("--version", type=int, default=1,
                        help="number of the version folder; default: 1")
    parser.add_argument("--size", type=int,
                        help="height and width of the input, pixels; default: "
                        "what the published weights were trained for")
    parser.add_argument("--seed", type=int, default=0,
                        help="of the random weights")
    parser.add_argument("--trace", action="store_true",
                        help="trace at the input's size instead of scripting")
    return parser.parse_args()


def export(args):
    """Writes the folder and returns the path of the model file."""
    if args.name not in torchvision.models.list_models(
            module=torchvision.models):
        raise ValueError(f"{args.name} is no classifier of torchvision.models")
    network = build(args.name, args.weights, args.seed)
    crop = getattr(published(args.name).transforms(), "crop_size",
                   [DEFAULT_SIZE])
    size = args.size or crop[0]
    with torch.no_grad():
        num_outputs = network(torch.zeros(2, 3, size, size)).shape[1]
    labels = labels_for(args.name, num_outputs, args.labels)
    script = torchscript(network, size, args.trace)

    return model_folder.write(
        args.out / args.name, args.version, script,
        config=config_text(args.name, network, size), labels=labels,
        num_outputs=num_outputs, keep_config=not args.overwrite_config,
        keep_labels=not args.overwrite_config and args.labels is None)


def main():
    try:
        print(export(parse_arguments()))
    except (OSError, RuntimeError, ValueError, urllib.error.URLError) as error:
        sys.exit(f"torchvision_model.py: {error}")


if __name__ == "__main__":
    main()
