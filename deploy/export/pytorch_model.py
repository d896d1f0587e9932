#!/usr/bin/env python3
"""Exports an image classifier of PyTorch as a model folder that the server loads.

    pytorch_model.py timm:resnet18 --out models --weights download
    pytorch_model.py my.networks:build --out models --argument num_classes=5
    pytorch_model.py my.networks:grey --out models --channels 1 --size 64

The first is a name that timm.create_model knows.  The others are MODULE:FUNCTION,
a function (or class) that returns a torch.nn.Module; MODULE is looked for in the
working directory too.  Input size, mean and standard deviation are those of the
network's own configuration where it has one (timm's pretrained_cfg, Hugging Face's
config), as are its labels; flags say otherwise.

The network is scripted, or traced where it cannot be.  Before anything is written
the file's outputs are compared with the network's in PyTorch and, where there is
a saliency-server (deploy/build.sh release), with the server's own.
"""

import argparse
import importlib
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import threading
import time
import warnings

import torch
from torch import nn

import model_folder

ROOT = pathlib.Path(__file__).resolve().parents[2]
IMAGENET_MEAN = [0.485, 0.456, 0.406]
IMAGENET_STD = [0.229, 0.224, 0.225]
DEFAULT_SIZE = 224
# Of outputs, relative to the largest.
TOLERANCE = 1e-3
PATIENCE_S = 300
POLL_S = 0.5
FORMS = {"script": "scripted", "trace": "traced"}


class Logits(nn.Module):
    """A network that returns an object or a dict of tensors, as one that returns
    its logits."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, image):
        output = self.network(image)
        return output["logits"] if isinstance(output, dict) else output.logits


def create(name, weights, arguments):
    """The network in eval mode, on the CPU, float32."""
    module, _, function = name.partition(":")
    if not function:
        raise ValueError(f"{name} is neither MODULE:FUNCTION nor timm:NAME")
    if module == "timm":
        timm = importlib.import_module("timm")
        network = timm.create_model(function, pretrained=weights == "download",
                                    **arguments)
    else:
        if weights == "download":
            raise ValueError("--weights download is for timm's models")
        sys.path.insert(0, os.getcwd())
        network = getattr(importlib.import_module(module), function)(**arguments)
    if not isinstance(network, nn.Module):
        raise ValueError(f"{name} returned no torch.nn.Module but "
                         f"{type(network).__name__}")
    if weights not in (None, "download"):
        network.load_state_dict(torch.load(weights, map_location="cpu"))
    return network.cpu().float().eval()


def imagenet_labels(network):
    """Of a network of timm's that was trained on a part of ImageNet; else empty."""
    data = importlib.import_module("timm.data")
    part = data.infer_imagenet_subset(network)
    if part is None:
        return []
    names = data.ImageNetInfo(part)
    return [names.index_to_description(i) for i in range(network.num_classes)]


def own_config(network):
    """What the network says about its input and classes, as a dict."""
    said = {}
    timm_config = getattr(network, "pretrained_cfg", None) or {}
    if timm_config.get("input_size"):
        said["channels"], said["height"], said["width"] = timm_config[
            "input_size"]
    for key in ("mean", "std"):
        if timm_config.get(key):
            said[key] = list(timm_config[key])
    if timm_config:
        said["labels"] = (timm_config.get("label_names")
                          or imagenet_labels(network))
    config = getattr(network, "config", None)
    size = getattr(config, "image_size", None)
    if size is not None:
        said["height"], said["width"] = (
            size if isinstance(size, (list, tuple)) else (size, size))
    if getattr(config, "num_channels", None) is not None:
        said["channels"] = config.num_channels
    names = getattr(config, "id2label", None)
    if names:
        said["labels"] = [str(names[i]) for i in sorted(names)]
    return said


def input_of(network, args):
    """Channels, height, width, mean and std of the network's input."""
    said = own_config(network)
    height, width = said.get("height", DEFAULT_SIZE), said.get("width",
                                                               DEFAULT_SIZE)
    if args.size:
        if len(args.size) > 2:
            raise ValueError(f"--size: {len(args.size)} numbers, of at most 2")
        height, width = args.size[0], args.size[-1]
    channels = args.channels or said.get("channels", 3)
    usual = channels == 3
    mean = args.mean or said.get("mean") or (
        IMAGENET_MEAN if usual else [0.0] * channels)
    std = args.std or said.get("std") or (
        IMAGENET_STD if usual else [1.0] * channels)
    for flag, values in (("--mean", mean), ("--std", std)):
        if len(values) != channels:
            raise ValueError(f"{flag}: {len(values)} numbers for {channels} "
                             "channels")
    return {"channels": channels, "height": height, "width": width,
            "mean": mean, "std": std}


def labels_of(network, path, num_outputs):
    """The lines of labels.txt; empty where nobody names the classes."""
    if path is None:
        labels = own_config(network).get("labels", [])
        return labels if len(labels) == num_outputs else []
    labels = path.read_text(encoding="utf-8").splitlines()
    if len(labels) != num_outputs:
        raise ValueError(f"--labels: {len(labels)} lines for {num_outputs} "
                         "classes")
    return labels


def noise(count, shape):
    """Images [count,C,H,W] of whole numbers in [0,255], the same each time."""
    generator = torch.Generator().manual_seed(20200616)
    sizes = (count, shape["channels"], shape["height"], shape["width"])
    return torch.randint(0, 256, sizes, generator=generator).float()


def preprocessed(images, shape):
    mean = torch.tensor(shape["mean"]).view(1, -1, 1, 1)
    std = torch.tensor(shape["std"]).view(1, -1, 1, 1)
    return (images / 255 - mean) / std


def with_logits(network, images):
    """The network, and its outputs for the images, [B,C] or [B,C,h,w]."""
    with torch.no_grad():
        output = network(images)
        if not isinstance(output, (torch.Tensor, tuple, list)):
            network = Logits(network).eval()
            output = network(images)
    if isinstance(output, (tuple, list)):
        output = output[0]
    if output.dim() not in (1, 2, 4):
        raise ValueError(f"the network returns {list(output.shape)}; the server "
                         "explains [B,C] or [B,C,h,w]")
    return network, output


def worst(actual, expected):
    scale = expected.abs().max().clamp_min(1e-6)
    return ((actual - expected).abs().max() / scale).item()


def torchscript(network, how, images, expected):
    """The network as TorchScript, which answers as it does, whatever the number
    of images.  `how` is script, trace or auto."""
    failed = []
    for make in (("script", "trace") if how == "auto" else (how,)):
        try:
            with warnings.catch_warnings(), torch.no_grad():
                # What they warn of shows in the outputs.
                warnings.simplefilter("ignore", torch.jit.TracerWarning)
                script = (torch.jit.script(network) if make == "script" else
                          torch.jit.trace(network, images[:1]))
                output = script(images)
        except Exception as error:  # whatever a model's own code raises
            failed.append(f"{make}: {str(error).strip().splitlines()[0]}")
            continue
        output = output[0] if isinstance(output, (tuple, list)) else output
        difference = worst(output, expected)
        if difference <= TOLERANCE:
            return make, script
        failed.append(f"{make}: its outputs differ by {difference:.2g} of the "
                      "largest")
    raise ValueError("no TorchScript answers as the network does; "
                     + "; ".join(failed))


def config_text(shape, activation):
    """config.pbtxt but for its digest: the whole image, squashed to the input's
    size, since what a crop leaves out cannot be explained."""
    lines = ["# proto-file: proto/saliency/v1/model_config.proto",
             "# proto-message: saliency.v1.ModelConfig",
             "input {",
             f"  height: {shape['height']}",
             f"  width: {shape['width']}"]
    if shape["channels"] != 3:
        lines.append(f"  channels: {shape['channels']}")
    lines += ["  geometry: GEOMETRY_SQUASH",
              f"  mean: [{model_folder.numbers(shape['mean'])}]",
              f"  std: [{model_folder.numbers(shape['std'])}]",
              "}"]
    if activation:
        lines.append(f"output_activation: OUTPUT_ACTIVATION_{activation.upper()}")
    return "\n".join(lines) + "\n"


def write_bmp(path, image):
    """[C,H,W] of whole numbers; of one channel grey."""
    rgb = image.expand(3, -1, -1).to(torch.uint8)
    _, height, width = rgb.shape
    padding = bytes(-3 * width % 4)
    rows = [bytes(rgb[[2, 1, 0], y].T.reshape(-1).tolist()) + padding
            for y in reversed(range(height))]
    pixels = b"".join(rows)
    header = struct.pack("<2sIHHI", b"BM", 54 + len(pixels), 0, 0, 54)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(pixels),
                       2835, 2835, 0, 0)
    path.write_bytes(header + info + pixels)


def listening_port(server):
    """The port that the server's log names."""
    said = []
    for line in server.stderr:
        said.append(line)
        try:
            fields = json.loads(line)
        except ValueError:
            continue
        if fields.get("message") == "listening":
            return fields["grpc_port"]
    raise ValueError("the server ended: " + "".join(said[-3:]).strip())


def ask_until_loaded(command, env):
    """Runs the command until it says no more that the model is loading."""
    end = time.monotonic() + PATIENCE_S
    while True:
        answer = subprocess.run(command, env=env, text=True, check=False,
                                timeout=PATIENCE_S, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)
        loading = "is loading" in answer.stdout + answer.stderr
        if not loading or time.monotonic() > end:
            return answer
        time.sleep(POLL_S)


def ask_server(programs, folder, name, image):
    """The server's likeliest and least likely class with their scores."""
    env = {key: value for key, value in os.environ.items()
           if not key.startswith("SALIENCY_")}
    with subprocess.Popen(
            [programs / "saliency-server", "--models", folder / "models",
             "--listen-address", "127.0.0.1:0", "--metrics-address",
             "127.0.0.1:0", "--drain-delay", "0s", "--log-format", "json"],
            env=env, text=True, stderr=subprocess.PIPE) as server:
        try:
            port = listening_port(server)
            # The log is read on, so that its pipe does not fill up.
            reader = threading.Thread(target=server.stderr.read)
            reader.start()
            answer = ask_until_loaded(
                [programs / "saliency", "explain", image, "--server",
                 f"127.0.0.1:{port}", "--model", name, "-m", "gradient", "-l",
                 "input", "-t", "top", "-t", "bottom", "--json"], env)
        finally:
            server.terminate()
        reader.join()
    if answer.returncode != 0:
        said = (answer.stderr or answer.stdout).strip()
        raise ValueError(f"the server refuses the model: {said}")
    return [(result["class"]["index"], result["score"])
            for result in map(json.loads, answer.stdout.splitlines())]


def check_server(args, name, script, shape, images, expected, config):
    """Compares the server's scores with the network's, of a folder that is gone
    afterwards.  Returns what was found, in words."""
    programs = args.programs or next(
        (path for path in (ROOT / "build/release/bin", ROOT / "build/dev/bin")
         if (path / "saliency-server").exists()), None)
    if programs is None:
        return "no saliency-server is built: not compared with it"
    if shape["channels"] not in (1, 3):
        return (f"no image gives {shape['channels']} channels: not compared "
                "with the server")
    if expected.dim() != 2 or expected.shape[1] < 2:
        return "not one row of classes: not compared with the server"
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        model_folder.write(folder / "models" / name, 1, script, config=config,
                           labels=[], num_outputs=expected.shape[1],
                           keep_config=False, keep_labels=False)
        image = folder / "image.bmp"
        write_bmp(image, images[0])
        answers = ask_server(programs, folder, name, image)
    scale = expected[0].abs().max().clamp_min(1e-6).item()
    for index, score in answers:
        difference = abs(score - expected[0][index].item()) / scale
        if difference > TOLERANCE:
            raise ValueError(
                f"class {index} has {score:g} in the server and "
                f"{expected[0][index].item():g} in PyTorch")
    return (f"the server's scores are PyTorch's: class {answers[0][0]} "
            f"{answers[0][1]:g}, class {answers[-1][0]} {answers[-1][1]:g}")


def key_value(text):
    """KEY=VALUE, the value being JSON where it can be read as such."""
    key, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text} is not KEY=VALUE")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="MODULE:FUNCTION or timm:NAME")
    parser.add_argument("--out", required=True, type=pathlib.Path,
                        help="model repository to write into")
    parser.add_argument("--name", help="of the model; default: FUNCTION or "
                        "timm's NAME")
    parser.add_argument("--argument", action="append", type=key_value,
                        default=[], metavar="KEY=VALUE",
                        help="of the function; repeatable")
    parser.add_argument("--weights", help="state_dict file (.pth); of timm's "
                        "\"download\" too; default: what the function returns")
    parser.add_argument("--labels", type=pathlib.Path,
                        help="file with one label a line")
    parser.add_argument("--size", type=int, nargs="+", metavar="PIXELS",
                        help="of the input: one side, or height and width")
    parser.add_argument("--channels", type=int, help="of the input")
    parser.add_argument("--mean", type=float, nargs="+", help="per channel")
    parser.add_argument("--std", type=float, nargs="+", help="per channel")
    parser.add_argument("--activation", default="",
                        choices=["softmax", "sigmoid", "none", "regression"],
                        help="that turns outputs into probabilities; default: "
                        "the server's")
    parser.add_argument("--how", default="auto",
                        choices=["auto", "script", "trace"],
                        help="auto: traced where it cannot be scripted")
    parser.add_argument("--version", type=int, default=1,
                        help="number of the version folder; default: 1")
    parser.add_argument("--overwrite-config", action="store_true",
                        help="write config.pbtxt and labels.txt anew where "
                        "they are there already")
    parser.add_argument("--programs", type=pathlib.Path,
                        help="folder of saliency-server and saliency; default: "
                        "build/release/bin, else build/dev/bin")
    return parser.parse_args()


def export(args):
    """Writes the folder and returns the path of the model file."""
    network = create(args.source, args.weights, dict(args.argument))
    shape = input_of(network, args)
    images = noise(2, shape)
    inputs = preprocessed(images, shape)
    labelled = network
    network, expected = with_logits(network, inputs)
    num_outputs = expected.shape[1] if expected.dim() > 1 else 1
    labels = labels_of(labelled, args.labels, num_outputs)
    how, script = torchscript(network, args.how, inputs, expected)
    name = args.name or args.source.partition(":")[2]
    config = config_text(shape, args.activation)
    found = check_server(args, name, script, shape, images, expected, config)
    print(f"{FORMS[how]}; {found}", file=sys.stderr)
    return model_folder.write(
        args.out / name, args.version, script, config=config, labels=labels,
        num_outputs=num_outputs, keep_config=not args.overwrite_config,
        keep_labels=not args.overwrite_config and args.labels is None)


def main():
    try:
        print(export(parse_arguments()))
    except (ImportError, AttributeError, OSError, RuntimeError, TypeError,
            ValueError, subprocess.TimeoutExpired) as error:
        sys.exit(f"pytorch_model.py: {str(error).strip().splitlines()[0]}")


if __name__ == "__main__":
    main()
