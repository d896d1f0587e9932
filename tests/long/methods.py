#!/usr/bin/python3
"""Asks a server for every method in one network of each of torchvision's families,
scripted and traced, at the layer that it looks at by default, at one half way down
and at the pixels:

- a method that GetModel names has a finite map wherever it is said to apply;
- one that it does not name is refused with a reason;
- maps of activations and gradients, guided backprop, deconvnet, integrated gradients
  and occlusion are those of hooks and autograd in PyTorch, in float64, or as near as
  theirs in float32;
- LRP by the epsilon rule is activation times gradient where all activations are
  ReLUs, and DeepLIFT's contributions add up to the score's difference.

    methods.py SERVER [NETWORK...]
"""

import contextlib
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

import layers
import step_models
import stubs
from server_process import ServerProcess

TARGET = 7
STEPS = 8  # of integrated gradients
PATCH = 32  # of occlusion, side by side
# Of the largest value of a map; and how many times as far as PyTorch's own in
# float32 it may be, behind kinks, where rounding chooses a side.
TOLERANCE = 1e-3
TIMES_PYTORCH = 10
# Of the relevance of all pixels: float32 keeps some.
LEAK = 1e-2
ONLY_RELUS = ("alexnet", "densenet121", "googlenet", "inception_v3",
              "regnet_x_400mf", "resnet18", "resnet50", "resnext50_32x4d",
              "shufflenet_v2_x0_5", "squeezenet1_1", "vgg11")


class Ramp(torch.autograd.Function):
    """x between 0 and `top`, with the backward rule of guided backprop or of the
    deconvnet."""

    @staticmethod
    def forward(ctx, x, top, guided):
        ctx.save_for_backward(x)
        ctx.top, ctx.guided = top, guided
        return x.clamp(0, top)

    @staticmethod
    def backward(ctx, signal):
        x, = ctx.saved_tensors
        kept = signal.clamp_min(0) * (x <= ctx.top)
        return kept * (x >= 0) if ctx.guided else kept, None, None


@contextlib.contextmanager
def relus_by(rule):
    """Every ReLU and ReLU6 goes back by the rule; None: by its derivative."""
    functional = torch.nn.functional
    kept = functional.relu, functional.relu6, functional.hardtanh
    if rule:
        guided = rule == "guided_backprop"
        functional.relu = lambda x, inplace=False: Ramp.apply(
            x, float("inf"), guided)
        functional.relu6 = lambda x, inplace=False: Ramp.apply(x, 6.0, guided)
        functional.hardtanh = lambda x, low=-1.0, high=1.0, inplace=False: (
            Ramp.apply(x, high, guided) if low == 0
            else kept[2](x, low, high))
    try:
        yield
    finally:
        functional.relu, functional.relu6, functional.hardtanh = kept


def record(network, layer, image):
    """Activation and gradient at the layer, without the batch."""
    image = image.clone().requires_grad_(True)
    kept = {"x": image}

    def keep(name, module, output):
        if name != layer:
            return None
        kept["x"] = output.detach().requires_grad_(True)
        return kept["x"] + 0

    logits = layers.Calls(network).run(image, keep)
    gradient, = torch.autograd.grad(logits[0, TARGET], kept["x"])
    return kept["x"][0].detach(), gradient[0]


def first(x, shape):
    """[K,H,W], also of [H,W,K]."""
    return x if list(x.shape) == shape else x.permute(2, 0, 1)


def box(x):
    return torch.nn.functional.avg_pool2d(x[None], 3, 1, 1)[0] * 9


def principal(x):
    rows = x.flatten(1).T.double()
    centred = rows - rows.mean(0)
    left, values, _ = torch.linalg.svd(centred, full_matrices=False)
    scores = left[:, 0] * values[0]
    strength = rows.abs().sum(1)
    sign = torch.sign((scores * (strength - strength.mean())).sum())
    return (sign * scores).reshape(x.shape[1:])


def closed_forms(x, g):
    """Of each method of activation and gradient, [K,H,W], its map."""
    def weighted(weights):
        return (weights[:, None, None] * x).sum(0).clamp_min(0)

    alpha = g * g / (2 * g * g + x.sum((1, 2), keepdim=True) * g ** 3 + 1e-6)
    return {
        "gradient": g.abs().amax(0),
        "gradient_sum": g.sum(0),
        "linear_approximation": (g * x).sum(0),
        "norm_grad": x.norm(dim=0) * g.norm(dim=0),
        "norm_grad_conv3x3":
            box((x * x).sum(0, keepdim=True))[0].sqrt() * g.norm(dim=0),
        "selective_norm_grad": (g * x).clamp_min(0).norm(dim=0),
        "grad_cam": weighted(g.mean((1, 2))),
        "hires_cam": (g * x).sum(0).clamp_min(0),
        "layer_cam": (g.clamp_min(0) * x).sum(0).clamp_min(0),
        "grad_cam_elementwise": (g * x).clamp_min(0).sum(0),
        "xgrad_cam": weighted((g * x).sum((1, 2)) / (x.sum((1, 2)) + 1e-7)),
        "grad_cam_plus_plus": weighted((g.clamp_min(0) * alpha).sum((1, 2))),
        "eigen_cam": principal(x),
        "eigen_grad_cam": principal(g * x),
    }


def score(network, image):
    with torch.no_grad():
        return float(network(image)[0, TARGET])


def references(network, layer, shape, image):
    """The maps that PyTorch gives, of the precision of network and image."""
    x, g = (first(t, shape) for t in record(network, layer, image))
    maps = closed_forms(x, g)
    if layer == "input":
        del maps["grad_cam_plus_plus"]  # pixels of both signs: its w have poles
    for rule in ("guided_backprop", "deconvnet"):
        with relus_by(rule):
            maps[rule] = first(record(network, layer, image)[1],
                               shape).abs().amax(0)
    if layer != "input":
        return maps
    nodes, weights = numpy.polynomial.legendre.leggauss(STEPS)
    maps["integrated_gradients"] = sum(
        weight / 2 * record(network, layer, (node + 1) / 2 * image)[1]
        for node, weight in zip(nodes, weights)).mul(image[0]).sum(0)
    whole, lost = score(network, image), torch.zeros_like(image[0, 0])
    for y in range(0, shape[1], PATCH):
        for left in range(0, shape[2], PATCH):
            hidden = image.clone()
            hidden[..., y:y + PATCH, left:left + PATCH] = 0
            lost[y:y + PATCH, left:left + PATCH] = whole - score(
                network, hidden)
    maps["occlusion"] = lost
    return maps


def apart(a, b):
    return float((a.double() - b.double()).abs().max() / b.double().abs().max()
                 .clamp_min(1e-30))


class Check:
    def __init__(self, name, network, size, server, api):
        self.name, self.network = name, network
        (self.explanation, models, models_grpc, self.service,
         service_grpc) = api
        channel = grpc.insecure_channel(
            server.address, options=[("grpc.enable_http_proxy", 0)])
        self.stub = service_grpc.SaliencyServiceStub(channel)
        self.info = models_grpc.ModelServiceStub(channel).GetModel(
            models.GetModelRequest(model={"name": name}), timeout=60)
        self.shapes = {layer.name: list(layer.shape)
                       for layer in self.info.layers}
        self.exact = copy.deepcopy(network).double()
        torch.manual_seed(4)
        self.image = torch.randn(1, 3, size, size)
        self.faults, self.compared, self.finite = [], 0, 0

    def expect(self, holds, sentence):
        if not holds:
            self.faults.append(sentence)

    def attribution(self, method, layer):
        """With few samples, where it takes any, and no stabiliser."""
        parameters = {
            "lrp_epsilon": {"epsilon": 0.0},
            "smooth_grad": {"samples": 3},
            "integrated_gradients": {"steps": STEPS},
            "occlusion": {"patch_size": PATCH, "stride": PATCH},
            "rise": {"masks": 4},
            "lime": {"samples": 20},
            "kernel_shap": {"samples": 20},
            "score_cam": {},
        }.get(method)
        if parameters is not None and method in \
                self.explanation.Attribution.DESCRIPTOR.fields_by_name:
            return self.explanation.Attribution(
                layers=[layer], **{method: parameters})
        return self.explanation.Attribution(method=method, layers=[layer])

    def ask(self, methods, layer):
        image = self.image.numpy().astype("<f4")
        request = self.service.ComputeSaliencyRequest(
            model={"name": self.name},
            input=self.explanation.Input(tensor=self.explanation.Tensor(
                shape=image.shape, data=image.tobytes())),
            targets=[self.explanation.Target(class_index=TARGET)],
            attributions=[self.attribution(method, layer)
                          for method in methods],
            output=self.explanation.OutputOptions(
                named_size=self.explanation.NAMED_SIZE_LAYER, normalise=False))
        return self.stub.ComputeSaliency(request, timeout=600).maps

    def layer(self, layer):
        methods = [method.name for method in self.info.methods
                   if not method.layers or layer in method.layers]
        maps = {}
        for method, found in zip(methods, self.ask(methods, layer)):
            if found.status.code:
                self.faults.append(f"{method} at {layer} although GetModel has "
                                   f"it: {found.status.message}")
                continue
            values = torch.from_numpy(numpy.frombuffer(
                found.data, "<f4").reshape(found.height, found.width).copy())
            self.expect(bool(values.isfinite().all()),
                        f"{method} at {layer} is not finite")
            maps[method] = values
        self.finite += len(maps)
        shape = self.shapes[layer]
        exact = references(self.exact, layer, shape, self.image.double())
        single = references(self.network, layer, shape, self.image)
        for method, reference in exact.items():
            if method not in maps:
                continue
            limit = max(TOLERANCE,
                        TIMES_PYTORCH * apart(single[method], reference))
            far = apart(maps[method], reference)
            self.compared += 1
            self.expect(far <= limit, f"{method} at {layer} is off by "
                        f"{far:.1e}, the limit is {limit:.1e}")
        if self.name.split(".")[0] in ONLY_RELUS and "lrp_epsilon" in maps:
            far = apart(maps["lrp_epsilon"], exact["linear_approximation"])
            limit = max(LEAK, TIMES_PYTORCH * apart(
                single["linear_approximation"], exact["linear_approximation"]))
            self.compared += 1
            self.expect(far <= limit, f"lrp_epsilon at {layer} is off by "
                        f"{far:.1e}, the limit is {limit:.1e}")
        if layer == "input" and "deep_lift" in maps:
            double = self.image.double()
            gap = float(maps["deep_lift"].double().sum()) - (
                score(self.exact, double)
                - score(self.exact, torch.zeros_like(double)))
            all_of_it = float(maps["deep_lift"].double().abs().sum())
            self.compared += 1
            self.expect(abs(gap) <= LEAK * all_of_it,
                        f"deep_lift adds up to {gap:+.2e} too much, of "
                        f"{all_of_it:.2e}")

    def run(self):
        combined = list(self.info.config.combine_layers)
        default = list(self.info.config.default_layers)
        for layer in dict.fromkeys(
                default + combined[len(combined) // 2:][:1] + ["input"]):
            self.layer(layer)
        for refusal in self.info.method_refusals:
            self.expect(refusal.reason, f"{refusal.name}: no reason")
        print(f"{self.name:28} {self.finite} maps finite, {self.compared} "
              f"compared, {len(self.info.method_refusals)} methods refused",
              flush=True)
        for refusal in self.info.method_refusals:
            print(f"{'':28} {refusal.reason}", flush=True)
        for fault in self.faults:
            print(f"{self.name:28} FAULT: {fault}", flush=True)
        return not self.faults


def check_network(name, api, folder):
    size = 96 if name == "inception_v3" else 64
    network = step_models.build(name)
    step_models.settle(network, size)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    models = pathlib.Path(folder) / name
    layers.write_model(models / f"{name}.script", torch.jit.script(network),
                       size)
    layers.write_model(models / f"{name}.trace",
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
