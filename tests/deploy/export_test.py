#!/usr/bin/python3
"""What deploy/export writes is served: ResNet50, VGG16, MobileNetV2 and
DenseNet121 with random weights, every method at every layer that the server
lists for it."""

import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

import grpc
import numpy

import needs
import stubs
from server_process import PATIENCE_S, ROOT, ServerProcess

torch = needs.module("torch", "python3-torch")
torchvision = needs.module("torchvision", "python3-torchvision")

EXPORT = ROOT / "deploy/export/torchvision_model.py"
# Small inputs: it is the layers that are many.
SIZE = 64
NETWORKS = {
    "resnet50": ["layer1", "layer2", "layer3", "layer4"],
    "vgg16": ["features.3", "features.8", "features.15", "features.22",
              "features.29"],
    "mobilenet_v2": ["features.1", "features.3", "features.6", "features.13",
                     "features.18"],
    "densenet121": ["features.denseblock1", "features.denseblock2",
                    "features.denseblock3", "features.norm5"],
}
# The server takes 512 layers a request, summed over its attributions.
LAYERS_PER_REQUEST = 15


def export(*arguments, **environment):
    """Runs the exporter and returns what it printed."""
    return subprocess.run([sys.executable, EXPORT, *arguments], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=PATIENCE_S, check=False,
                          env={**os.environ, **environment})


class ExportedFolderTest(unittest.TestCase):
    """What the exporter writes, without a server."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.out = self.folder / "models"

    def export(self, name, *arguments, **environment):
        result = export(name, "--out", self.out, "--size", "64", *arguments,
                        **environment)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout.strip(), str(next(
            (self.out / name).glob("*/model.pt"))))
        return self.out / name

    def state_of(self, seed):
        torch.manual_seed(seed)
        return torchvision.models.mobilenet_v2(weights=None).state_dict()

    def assert_same_weights(self, model, state):
        exported = torch.jit.load(str(model / "1/model.pt")).state_dict()
        self.assertEqual(set(exported), set(state))
        for name, tensor in state.items():
            self.assertTrue(torch.equal(exported[name], tensor), name)

    def test_given_weights_are_those_exported(self):
        state = self.state_of(seed=7)
        torch.save(state, self.folder / "weights.pth")
        model = self.export("mobilenet_v2", "--weights",
                            self.folder / "weights.pth")
        self.assert_same_weights(model, state)

    def test_downloaded_weights_come_by_way_of_torchvisions_cache(self):
        state = self.state_of(seed=8)
        url = torchvision.models.get_model_weights(
            "mobilenet_v2").DEFAULT.url
        cache = self.folder / "hub/checkpoints"
        cache.mkdir(parents=True)
        torch.save(state, cache / url.rsplit("/", 1)[1])
        model = self.export("mobilenet_v2", "--weights", "download",
                            TORCH_HOME=str(self.folder))
        self.assert_same_weights(model, state)

    def test_the_same_seed_gives_the_same_random_weights(self):
        model = self.export("mobilenet_v2", "--seed", "9")
        self.assert_same_weights(model, self.state_of(seed=9))

    def test_weights_of_other_classes_take_their_own_labels(self):
        torch.manual_seed(1)
        state = torchvision.models.mobilenet_v2(
            weights=None, num_classes=3).state_dict()
        torch.save(state, self.folder / "weights.pth")
        labels = self.folder / "animals.txt"
        labels.write_text("cat\ndog\nzebra\n")
        model = self.export("mobilenet_v2", "--weights",
                            self.folder / "weights.pth")
        self.assertFalse((model / "labels.txt").exists())
        self.export("mobilenet_v2", "--weights", self.folder / "weights.pth",
                    "--labels", labels)
        self.assertEqual((model / "labels.txt").read_text(),
                         labels.read_text())

    def test_a_second_version_lies_beside_the_first(self):
        model = self.export("mobilenet_v2")
        self.assertIn("sha256", (model / "config.pbtxt").read_text())
        result = export("mobilenet_v2", "--out", self.out, "--size", "64",
                        "--version", "2", "--seed", "1")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(
            sorted(path.parent.name for path in model.glob("*/model.pt")),
            ["1", "2"])
        # One digest cannot be that of both.
        self.assertNotIn("sha256", (model / "config.pbtxt").read_text())
        self.assertEqual(sorted(path.name for path in model.iterdir()),
                         ["1", "2", "config.pbtxt", "labels.txt"])

    def test_what_operators_wrote_stays_unless_it_is_to_go(self):
        model = self.export("mobilenet_v2")
        config, labels = model / "config.pbtxt", model / "labels.txt"
        written = config.read_text()
        config.write_text("# ours\nprecision: PRECISION_BF16\n" + written)
        labels.write_text(labels.read_text().replace("tench", "carp"))
        ours = labels.read_text()
        # The one version anew: its digest follows.
        self.export("mobilenet_v2", "--seed", "1")
        digest = hashlib.sha256((model / "1/model.pt").read_bytes())
        self.assertIn(f'\nsha256: "{digest.hexdigest()}"\n',
                      config.read_text())
        self.assertEqual(config.read_text().count("sha256"), 1)
        result = export("mobilenet_v2", "--out", self.out, "--size", "64",
                        "--version", "2")
        self.assertEqual(result.returncode, 0, result.stderr)
        kept = [line for line in written.splitlines() if "sha256" not in line]
        self.assertEqual(config.read_text().splitlines(),
                         ["# ours", "precision: PRECISION_BF16", *kept])
        self.assertEqual(labels.read_text(), ours)
        result = export("mobilenet_v2", "--out", self.out, "--size", "64",
                        "--version", "2", "--overwrite-config")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(config.read_text().splitlines(), kept)
        self.assertIn("tench\n", labels.read_text())

    def test_a_version_whose_classes_the_labels_do_not_name_is_refused(self):
        model = self.export("mobilenet_v2")
        before = (model / "config.pbtxt").read_text()
        torch.save(torchvision.models.mobilenet_v2(
            weights=None, num_classes=3).state_dict(),
            self.folder / "weights.pth")
        result = export("mobilenet_v2", "--out", self.out, "--size", "64",
                        "--version", "2", "--weights",
                        self.folder / "weights.pth")
        self.assertEqual(result.returncode, 1)
        self.assertIn("1000 lines for 3 classes", result.stderr)
        self.assertFalse((model / "2").exists())
        self.assertEqual((model / "config.pbtxt").read_text(), before)

    def test_what_cannot_be_exported_is_said_in_one_line(self):
        for arguments in (["no_such_network"],
                          ["mobilenet_v2", "--weights", "none.pth"],
                          ["mobilenet_v2", "--labels", "none.txt"]):
            result = export(*arguments, "--out", self.out, "--size", "64")
            self.assertEqual(result.returncode, 1, arguments)
            self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
            self.assertFalse(self.out.exists())


class ExportedModelsAreServedTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.models = pathlib.Path(folder.name) / "models"
        for name in NETWORKS:
            result = export(name, "--out", cls.models, "--size", str(SIZE))
            assert result.returncode == 0, result.stderr
        (cls.explanation, cls.models_pb, models_grpc, cls.saliency_pb,
         saliency_grpc) = stubs.generate(pathlib.Path(folder.name) / "stubs")
        cls.server = ServerProcess("--models", cls.models)
        cls.addClassCleanup(cls.server.close)
        cls.server.await_models(len(NETWORKS))
        channel = grpc.insecure_channel(cls.server.address,
                                        [("grpc.enable_http_proxy", 0)])
        cls.addClassCleanup(channel.close)
        cls.model_stub = models_grpc.ModelServiceStub(channel)
        cls.saliency_stub = saliency_grpc.SaliencyServiceStub(channel)

    def get(self, name):
        return self.model_stub.GetModel(
            self.models_pb.GetModelRequest(model={"name": name}), timeout=PATIENCE_S)

    def explain(self, name, attributions):
        """The maps of one image of noise, without their pixels."""
        noise = numpy.random.default_rng(0).standard_normal(
            (3, SIZE, SIZE), dtype=numpy.float32)
        request = self.saliency_pb.ComputeSaliencyRequest(
            model={"name": name}, attributions=attributions)
        request.input.tensor.shape.extend(noise.shape)
        request.input.tensor.data = noise.tobytes()
        request.output.encoding = self.explanation.MAP_ENCODING_NONE
        request.output.named_size = self.explanation.NAMED_SIZE_LAYER
        return self.saliency_stub.ComputeSaliency(request, timeout=PATIENCE_S)

    def test_labels_digest_and_layers_are_those_of_the_folder(self):
        categories = torchvision.models.ResNet50_Weights.DEFAULT.meta[
            "categories"]
        for name, layers in NETWORKS.items():
            with self.subTest(name):
                model = self.get(name)
                self.assertEqual(list(model.labels), categories)
                file = self.models / name / "1/model.pt"
                self.assertEqual(model.sha256, hashlib.sha256(
                    file.read_bytes()).hexdigest())
                self.assertEqual(list(model.config.combine_layers), layers)
                self.assertEqual(list(model.config.default_layers),
                                 layers[-1:])
                self.assertEqual(model.config.input.height, SIZE)
                self.assertTrue(model.rows_independent)
                self.assertTrue(model.targets_share_work)
                sizes = [layer.shape[1] for layer in model.layers
                         if layer.name in layers]
                self.assertEqual(sizes, sorted(sizes, reverse=True))
                self.assertEqual(len(set(sizes)), len(sizes))

    def test_every_method_answers_at_every_layer_listed_for_it(self):
        for name in NETWORKS:
            with self.subTest(name):
                started = time.monotonic()
                maps, constant = self.check_every_map(name)
                print(f"{name}: {maps} maps, {constant} of them constant, "
                      f"{time.monotonic() - started:.1f} s")
                self.assertGreater(maps, 200)
                # Random weights leave some layers without any gradient, but
                # not many.
                self.assertLess(constant, maps / 4)

    def attribution(self, method, layers):
        """By its name, but for few of the passes that a method takes by default."""
        attribution = self.explanation.Attribution(layers=layers)
        statistics = {
            "smooth_grad": self.explanation.SAMPLE_STATISTIC_MEAN,
            "smooth_grad_squared":
                self.explanation.SAMPLE_STATISTIC_MEAN_OF_SQUARES,
            "var_grad": self.explanation.SAMPLE_STATISTIC_VARIANCE}
        if method in statistics:
            attribution.smooth_grad.statistic = statistics[method]
            attribution.smooth_grad.samples = 3
        elif method == "integrated_gradients":
            attribution.integrated_gradients.steps = 3
        elif method == "occlusion":
            attribution.occlusion.patch_size = SIZE // 4
        elif method == "rise":
            attribution.rise.masks = 8
        elif method in ("lime", "kernel_shap"):
            getattr(attribution, method).samples = 8
            getattr(attribution, method).segments = 4
        else:
            attribution.method = method
        return attribution

    def check_every_map(self, name):
        model = self.get(name)
        spatial = [layer.name for layer in model.layers
                   if len(layer.shape) == 3]
        methods = [method.name for method in model.methods]
        # Without batch norm and with a head of three layers, VGG has fewest.
        self.assertGreaterEqual(len(methods), 8)
        layers_of = {method.name: set(method.layers) or set(spatial)
                     for method in model.methods}
        # One forward for each channel of a layer.
        layers_of["score_cam"] = {spatial[-1]}
        maps = constant = 0
        for start in range(0, len(spatial), LAYERS_PER_REQUEST):
            chunk = spatial[start:start + LAYERS_PER_REQUEST]
            asked = [(method, [layer for layer in chunk
                               if layer in layers_of[method]])
                     for method in methods]
            asked = [(method, layers) for method, layers in asked if layers]
            answer = self.explain(name, [self.attribution(method, layers)
                                         for method, layers in asked])
            expected = [(method, layer) for method, layers in asked
                        for layer in layers]
            self.assertEqual([(map.method, map.layer) for map in answer.maps],
                             expected)
            for map in answer.maps:
                self.assertEqual(map.status.code, 0,
                                 f"{map.method} at {map.layer}: "
                                 f"{map.status.message}")
                constant += map.constant
            maps += len(answer.maps)
        return maps, constant


if __name__ == "__main__":
    unittest.main()
