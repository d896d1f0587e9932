#!/usr/bin/python3
"""What a meta step at the last layers takes at least on this machine, with
LibTorch's own kernels: for each convolution and linear layer of a network two
forwards, a data gradient (not of the first) and the part that is each row's
own - its weight gradient, or the products of the Gram form where those take
less - each in the faster of the two memory orders, called one by one on
tensors that lie ready.  To that the rest of the plain forward is added twice.

Prints the parts as ratios to the plain eager forward, measured once in each
round of each layer.  What `pass_bench --filter meta` shows above their sum goes
into gradients of ReLUs, norms and pools, sums by row, and memory order.
"""

import argparse
import collections
import ctypes
import statistics
import time

import torch
import torchvision
from torch import nn
from torch.nn import functional

ORDERS = (torch.contiguous_format, torch.channels_last)
MAX_GRAM_POSITIONS = 4096  # kMaxGramPositions, stepped_conv.cc
PARTS = ("two forwards", "data gradients", "own to each row")


def layers_of(network, image):
    """(layer, input) of every convolution and linear layer, as they run."""
    found = []
    hooks = [module.register_forward_hook(
        lambda layer, inputs, _: found.append((layer, inputs[0])))
        for module in network.modules()
        if isinstance(module, (nn.Conv2d, nn.Linear))]
    with torch.no_grad():
        network(image)
    for hook in hooks:
        hook.remove()
    return found


def in_order(order, *tensors):
    return [t.contiguous(memory_format=order) if t.dim() == 4 else t
            for t in tensors]


def gradient(layer, g, x, weight, of_weight):
    """One of the gradients of a convolution."""
    return torch.ops.aten.convolution_backward(
        g, x, weight, None, layer.stride, layer.padding, layer.dilation, False,
        [0, 0], layer.groups, [not of_weight, of_weight, False])


def gram(x, g):
    """The products of the Gram form, a row at a time."""
    for row in range(x.shape[0]):
        a, b = x[row].flatten(1), g[row].flatten(1)
        positions = min(a.shape[1], b.shape[1])
        products = a[:, :positions].t() @ a[:, :positions]
        products @ b[:, :positions].t()


def conv_work(layer, x, is_first):
    """For each part the ways in which it can be done."""
    ways = collections.defaultdict(list)
    for order in ORDERS:
        y, g, weight = in_order(order, x, layer(x), layer.weight)
        ways["two forwards"].append(lambda y=y, w=weight: [functional.conv2d(
            y, w, None, layer.stride, layer.padding, layer.dilation,
            layer.groups) for _ in range(2)])
        if not is_first:
            ways["data gradients"].append(
                lambda y=y, g=g, w=weight: gradient(layer, g, y, w, False))
        ways["own to each row"].append(lambda y=y, g=g, w=weight: [
            gradient(layer, g[r:r + 1], y[r:r + 1], w, True)
            for r in range(len(y))])
        positions = max(y[0, 0].numel(), g[0, 0].numel())
        if layer.groups == 1 and positions <= MAX_GRAM_POSITIONS:
            ways["own to each row"].append(lambda y=y, g=g: gram(y, g))
    return ways


def linear_work(layer, x):
    g = layer(x)
    return {"two forwards": [lambda: [layer(x) for _ in range(2)]],
            "data gradients": [lambda: g @ layer.weight]}


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def keep_freed_memory():
    """As pass_bench and the server do: a page is made once."""
    libc = ctypes.CDLL("libc.so.6")
    trim_threshold, mmap_max = -1, -4
    libc.mallopt(mmap_max, 0)
    libc.mallopt(trim_threshold, 2**31 - 1)


def measure(network, batch, rounds):
    image = torch.rand(batch, 3, 224, 224)
    plain = []
    spent = []  # of each layer, by part and way
    with torch.no_grad():
        # One layer at a time: those of a large batch, in both memory orders,
        # do not fit together.
        for i, (layer, x) in enumerate(layers_of(network, image)):
            ways = (conv_work(layer, x, i == 0) if isinstance(layer, nn.Conv2d)
                    else linear_work(layer, x))
            times = {part: [[] for _ in ways[part]] for part in ways}
            for round_ in range(rounds + 1):
                for part, functions in ways.items():
                    for way, function in enumerate(functions):
                        took = seconds(function)
                        if round_:
                            times[part][way].append(took)
                plain.append(seconds(lambda: network(image)))
            spent.append(times)
    forward = statistics.median(plain)
    ratios = dict.fromkeys(PARTS, 0.0)
    rest = 2.0  # of two plain forwards, without their layers
    for times in spent:
        for part, ways in times.items():
            ratios[part] += min(map(statistics.median, ways)) / forward
        rest -= statistics.median(times["two forwards"][0]) / forward
    ratios["rest of two forwards"] = max(0.0, rest)
    return forward, ratios


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--network", action="append",
                        help="of torchvision; default: resnet50 and vgg16")
    parser.add_argument("--batch", type=int, action="append",
                        help="default: 1 and 8")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    keep_freed_memory()
    for name in args.network or ("resnet50", "vgg16"):
        torch.manual_seed(1)
        network = getattr(torchvision.models, name)().eval()
        for parameter in network.parameters():
            parameter.requires_grad_(False)
        for batch in args.batch or (1, 8):
            forward, ratios = measure(network, batch, args.rounds)
            parts = ", ".join(f"{part} {ratio:.2f}"
                              for part, ratio in ratios.items())
            print(f"{name} batch {batch}: forward {forward * 1e3:.0f} ms; "
                  f"{parts}; together {sum(ratios.values()):.2f}", flush=True)


if __name__ == "__main__":
    main()
