#!/usr/bin/python3
"""Writes one network of each of torchvision's families, with random weights, for
step_long_test: <folder>/<network>[.smooth].script.pt, and .fused.pt, traced without
gradients, of the vision transformer.

    step_models.py FOLDER [NETWORK...]

`.smooth` has the same network without kinks: SiLU for ReLU and hard swish, average
for maximum pooling and so on; `.gelu.smooth`, of some, GELU for SiLU, whose own
gradient LibTorch 1.13 leaves unwritten in some memory orders.  A last layer that torchvision starts at
zero (vision transformers) gets random weights: behind it all gradients would be
zero, and after a step nothing but rounding.
"""

import multiprocessing
import pathlib
import sys

import torch
import torchvision
from torch import nn
from torch.nn import functional

NETWORKS = ("alexnet", "convnext_tiny", "densenet121", "efficientnet_b0",
            "efficientnet_v2_s", "googlenet", "inception_v3", "mnasnet0_5",
            "mobilenet_v2", "mobilenet_v3_small", "regnet_x_400mf",
            "regnet_y_400mf", "resnet18", "resnet50", "resnext50_32x4d",
            "shufflenet_v2_x0_5", "squeezenet1_1", "swin_t", "swin_v2_t",
            "vgg11", "vit_b_16")

GELU_NETWORKS = ("densenet121", "googlenet", "inception_v3", "resnet18")


def smooth(module, activation):
    for name, child in module.named_children():
        if isinstance(child, (nn.ReLU, nn.ReLU6, nn.Hardswish)):
            setattr(module, name, activation())
        elif isinstance(child, nn.Hardsigmoid):
            setattr(module, name, nn.Sigmoid())
        elif isinstance(child, nn.MaxPool2d):
            setattr(module, name, nn.AvgPool2d(
                child.kernel_size, child.stride, child.padding,
                child.ceil_mode))
        else:
            smooth(child, activation)


def silu(input: torch.Tensor, inplace: bool = False) -> torch.Tensor:
    return torch.nn.functional.silu(input)


def gelu(input: torch.Tensor, inplace: bool = False) -> torch.Tensor:
    return torch.nn.functional.gelu(input)


ACTIVATIONS = {".smooth": (nn.SiLU, silu), ".gelu.smooth": (nn.GELU, gelu)}


def average(input: torch.Tensor, kernel_size: int, stride: int = 1,
            padding: int = 0) -> torch.Tensor:
    return torch.nn.functional.avg_pool2d(input, kernel_size, stride, padding)


def settle(network, size):
    """Running statistics of random images: with those of a new network the
    signal dies out or grows."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train()
            module.momentum = 1.0
    with torch.no_grad():
        network(torch.randn(8, 3, size, size))
    network.eval()


def build(name):
    torch.manual_seed(1)
    options = {}
    if name.startswith("vit"):
        options = {"image_size": 64}
    if name in ("googlenet", "inception_v3"):
        options = {"aux_logits": False, "init_weights": False}
    network = getattr(torchvision.models, name)(weights=None, **options).eval()
    for module in network.modules():
        if isinstance(module, nn.Linear) and not module.weight.any():
            nn.init.normal_(module.weight, std=0.02)
    return network


def write(folder, name, kind):
    size = 96 if name == "inception_v3" else 64
    network = build(name)
    if kind:
        activation, function = ACTIVATIONS[kind]
        smooth(network, activation)
        functional.relu, functional.max_pool2d = function, average
    settle(network, size)
    torch.jit.script(network).save(str(folder / f"{name}{kind}.script.pt"))
    if name.startswith("vit"):
        with torch.no_grad():
            traced = torch.jit.trace(
                network, torch.randn(1, 3, size, size), check_trace=False)
        traced.save(str(folder / f"{name}{kind}.fused.pt"))


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or NETWORKS:
        for kind in "", ".smooth", ".gelu.smooth":
            if kind == ".gelu.smooth" and name not in GELU_NETWORKS:
                continue
            # A process of its own: TorchScript compiles a class once, and would
            # give the second network of a class the first one's activations.
            process = multiprocessing.Process(
                target=write, args=(folder, name, kind))
            process.start()
            process.join()
            if process.exitcode != 0:
                sys.exit(f"{name}{kind} was not written")
            print(name + kind, flush=True)


if __name__ == "__main__":
    main()
