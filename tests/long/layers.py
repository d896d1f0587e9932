#!/usr/bin/python3
"""Asks a server for the layers that it looks at by default, and combines, in one
network of each of torchvision's families of classifiers, scripted and traced,
and checks them against the network itself:

- each lies on the trunk: once its output is replaced by a constant the network's
  output no longer depends on the image, as it would around a branch;
- it has positions, behind weights; the combined ones have one for each
  resolution, from fine to coarse;
- behind the default layer no other has positions and weights, but the last that
  has weights: a map of class scores;
- its map is that of hooks in PyTorch, in float64, or as near as theirs in float32.

    layers.py SERVER [NETWORK...]
"""

import copy
import os
import pathlib
import sys
import tempfile

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "deploy"), str(TESTS / "long")]

import needs

torch = needs.module("torch", "python3-torch")
needs.module("torchvision", "python3-torchvision")
numpy = needs.module("numpy", "python3-numpy")
grpc = needs.module("grpc", "python3-grpcio")

import step_models
import stubs
from server_process import ServerProcess

TARGET = 7
TOLERANCE = 1e-3  # of the largest value of a map
TIMES_PYTORCH = 10  # behind kinks, where rounding chooses a side


class Calls:
    """The calls of a network's modules, by the names that the server gives."""

    def __init__(self, network):
        self.network = network

    def run(self, image, visit):
        """The logits; `visit` may replace what each call returned."""
        count, handles = {}, []

        def hook(name):
            def seen(module, inputs, output):
                if not torch.is_tensor(output):
                    return None
                count[name] = count.get(name, 0) + 1
                number = "" if count[name] == 1 else f"#{count[name]}"
                return visit(name + number, module, output)
            return seen

        for name, module in self.network.named_modules():
            if name:
                handles.append(module.register_forward_hook(hook(name)))
        try:
            return self.network(image.clone())
        finally:
            for handle in handles:
                handle.remove()

    def outputs(self, image):
        """[(name, module, output)], as they were made."""
        calls = []
        with torch.no_grad():
            self.run(image, lambda *call: calls.append(call))
        return calls

    def is_trunk(self, layer, images):
        """Whether nothing of an image goes round the layer."""
        def constant(name, module, output):
            return torch.full_like(output, 0.1) if name == layer else None
        with torch.no_grad():
            a, b = (self.run(image, constant) for image in images)
        return torch.allclose(a, b, rtol=0, atol=1e-5 * float(a.abs().max()))

    def map(self, layer, image):
        """sum_k g_k x_k at the layer: [H,W], or [K,H,W] before the sum."""
        kept = {}

        def keep(name, module, output):
            if name != layer:
                return None
            kept["x"] = output.detach().requires_grad_(True)
            return kept["x"] + 0

        logits = self.run(image, keep)
        gradient, = torch.autograd.grad(logits[0, TARGET], kept["x"])
        return (gradient * kept["x"])[0].detach()


def apart(ours, product, shape):
    """How far the map is from that of the product, [K,H,W] or [H,W,K]."""
    axis = 0 if list(product.shape) == shape else 2
    exact = product.sum(axis).double().numpy()
    if exact.shape != ours.shape:
        return float("inf")
    return float(abs(ours - exact).max() / abs(exact).max())


def write_model(folder, module, size):
    (folder / "1").mkdir(parents=True)
    module.save(str(folder / "1/model.pt"))
    (folder / "config.pbtxt").write_text(
        f"input {{ height: {size} width: {size} mean: 0 mean: 0 mean: 0 "
        "std: 1 std: 1 std: 1 }\n")


class Check:
    def __init__(self, name, network, size, server, api):
        self.name, self.server = name, server
        (self.explanation, models, models_grpc, self.service,
         service_grpc) = api
        channel = grpc.insecure_channel(
            server.address, options=[("grpc.enable_http_proxy", 0)])
        self.stub = service_grpc.SaliencyServiceStub(channel)
        self.info = models_grpc.ModelServiceStub(channel).GetModel(
            models.GetModelRequest(model={"name": name}), timeout=60)
        self.shapes = {layer.name: list(layer.shape)
                       for layer in self.info.layers}
        self.calls = Calls(network)
        self.exact = Calls(copy.deepcopy(network).double())
        torch.manual_seed(4)
        self.images = [torch.randn(1, 3, size, size) for _ in range(2)]
        self.faults = []

    def expect(self, holds, sentence):
        if not holds:
            self.faults.append(sentence)

    def map(self, layer):
        image = self.images[0].numpy().astype("<f4")
        request = self.service.ComputeSaliencyRequest(
            model={"name": self.name},
            input=self.explanation.Input(tensor=self.explanation.Tensor(
                shape=image.shape, data=image.tobytes())),
            targets=[self.explanation.Target(class_index=TARGET)],
            attributions=[self.explanation.Attribution(
                method="linear_approximation", layers=[layer])],
            output=self.explanation.OutputOptions(
                named_size=self.explanation.NAMED_SIZE_LAYER, normalise=False))
        found = self.stub.ComputeSaliency(request, timeout=60).maps[0]
        return numpy.frombuffer(found.data, "<f4").reshape(
            found.height, found.width)

    def layer(self, layer):
        shape = self.shapes[layer]
        self.expect(len(shape) == 3 and shape[1] * shape[2] > 1,
                    f"{layer} {shape} has no positions")
        self.expect(self.calls.is_trunk(layer, self.images),
                    f"{layer} is a branch")
        exact = self.exact.map(layer, self.images[0].double())
        by_pytorch = self.calls.map(layer, self.images[0])
        by_pytorch = by_pytorch.sum(0 if list(exact.shape) == shape else 2)
        limit = max(TOLERANCE, TIMES_PYTORCH * apart(
            by_pytorch.double().numpy(), exact, shape))
        far = apart(self.map(layer), exact, shape)
        self.expect(far <= limit, f"the map of {layer} is off by {far:.1e}, "
                    f"the limit is {limit:.1e}")

    def last(self, layer):
        calls = self.calls.outputs(self.images[0])
        names = [name for name, _, _ in calls]
        self.expect(layer in names, f"{layer} is not called")
        weighted = [i for i, (_, module, _) in enumerate(calls)
                    if any(p.dim() >= 2 for p in module._parameters.values()
                           if p is not None)]
        for i in weighted[:-1]:
            later = self.shapes.get(calls[i][0], [])
            has_positions = len(later) == 3 and later[1] * later[2] > 1
            self.expect(
                i <= names.index(layer) or not has_positions
                or not self.calls.is_trunk(calls[i][0], self.images),
                f"{calls[i][0]} {later} follows the default {layer}")

    def run(self):
        default = list(self.info.config.default_layers)
        combined = list(self.info.config.combine_layers)
        print(f"{self.name:34} default {' '.join(default)}; combined "
              f"{' '.join(combined)}", flush=True)
        self.expect(len(default) == 1, f"{len(default)} default layers")
        for layer in dict.fromkeys(default + combined):
            self.layer(layer)
        self.last(default[0])
        sizes = [self.shapes[layer][1] for layer in combined]
        self.expect(sizes == sorted(set(sizes), reverse=True),
                    f"combined layers of sizes {sizes}")
        for fault in self.faults:
            print(f"{self.name:34} FAULT: {fault}", flush=True)
        return not self.faults


def check_network(name, api, folder):
    size = 96 if name == "inception_v3" else 64
    network = step_models.build(name)
    step_models.settle(network, size)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    models = pathlib.Path(folder) / name
    write_model(models / f"{name}.script", torch.jit.script(network), size)
    write_model(models / f"{name}.trace",
                torch.jit.trace(network, torch.randn(1, 3, size, size),
                                check_trace=False), size)
    server = ServerProcess("--models", str(models))
    try:
        server.await_models(2)
        return all([Check(f"{name}.{how}", network, size, server, api).run()
                    for how in ("script", "trace")])
    finally:
        server.close()


def main():
    os.environ["SALIENCY_BIN"] = str(pathlib.Path(sys.argv[1]).parent)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        api = stubs.generate(pathlib.Path(folder) / "stubs")
        good = [check_network(name, api, folder)
                for name in sys.argv[2:] or step_models.NETWORKS]
    print(f"{sum(good)} of {len(good)} networks are as they should be")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
