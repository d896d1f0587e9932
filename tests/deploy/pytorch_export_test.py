#!/usr/bin/python3
"""deploy/export/pytorch_model.py writes what the server loads and answers alike:
functions of a module of one's own, and timm's names where timm is here."""

import importlib.util
import pathlib
import subprocess
import sys
import tempfile
import textwrap
import unittest

import needs
from server_process import PATIENCE_S, ROOT, ServerProcess, binary

needs.module("torch", "python3-torch")

EXPORT = ROOT / "deploy/export/pytorch_model.py"
NETWORKS = textwrap.dedent("""
    import types

    import torch
    from torch import nn

    def network(channels=3, classes=4):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(channels, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
            nn.Flatten(), nn.Linear(6, classes))

    class Named(nn.Module):
        \"\"\"As Hugging Face's classifiers answer.\"\"\"

        def __init__(self):
            super().__init__()
            self.inner = network(classes=3)
            self.config = types.SimpleNamespace(
                image_size=48, num_channels=3,
                id2label={0: "cat", 1: "dog", 2: "cow"})

        def forward(self, image):
            return {"hidden": image, "logits": self.inner(image)}

    class Untraceable(nn.Module):
        \"\"\"Neither script nor trace is right.\"\"\"

        def __init__(self):
            super().__init__()
            self.inner = network()

        def forward(self, image):
            scale = float(image.abs().mean().numpy()) if len(image) > 1 else 7.0
            return self.inner(image) * scale

    def no_network():
        return 3
    """)


class PytorchExportTest(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "networks.py").write_text(NETWORKS)
        self.out = self.folder / "models"

    def run_export(self, source, *arguments):
        return subprocess.run(
            [sys.executable, EXPORT, source, "--out", self.out, "--programs",
             binary("saliency").parent, *arguments], text=True,
            cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            timeout=PATIENCE_S, check=False)

    def export(self, source, *arguments):
        """The folder that was written, and what was said."""
        result = self.run_export(source, *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        file = pathlib.Path(result.stdout.strip())
        self.assertTrue((self.folder / file).exists(), result.stdout)
        return self.folder / file.parent.parent, result.stderr

    def refusal(self, source, *arguments):
        result = self.run_export(source, *arguments)
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        self.assertFalse(self.out.exists())
        return result.stderr

    def test_a_function_with_arguments_is_served(self):
        model, said = self.export("networks:network", "--name", "mine", "--size",
                                  "32", "40", "--argument", "classes=5")
        self.assertEqual(model.name, "mine")
        self.assertIn("scripted; the server's scores are PyTorch's", said)
        config = (model / "config.pbtxt").read_text()
        self.assertIn("height: 32\n  width: 40\n", config)
        server = ServerProcess("--models", self.out)
        self.addCleanup(server.close)
        server.await_models(1)
        self.assertIn("[5]", server.client("models", "mine"))

    def test_one_channel_is_compared_by_a_grey_image(self):
        model, said = self.export("networks:network", "--argument", "channels=1",
                                  "--channels", "1", "--mean", "0.5", "--std",
                                  "0.25", "--size", "32")
        self.assertIn("the server's scores are PyTorch's", said)
        self.assertIn("channels: 1\n", (model / "config.pbtxt").read_text())

    def test_the_networks_own_configuration_is_taken(self):
        model, said = self.export("networks:Named")
        self.assertIn("traced; the server's scores are PyTorch's", said)
        self.assertIn("height: 48\n", (model / "config.pbtxt").read_text())
        self.assertEqual((model / "labels.txt").read_text(), "cat\ndog\ncow\n")

    def test_what_cannot_be_exported_is_said_in_one_line(self):
        self.assertIn("no attribute 'nothing'", self.refusal("networks:nothing"))
        self.assertIn("neither MODULE:FUNCTION", self.refusal("networks"))
        self.assertIn("no torch.nn.Module but int",
                      self.refusal("networks:no_network"))
        self.assertIn("--mean: 2 numbers for 3 channels",
                      self.refusal("networks:network", "--mean", "0", "1"))
        self.assertIn("--size: 3 numbers, of at most 2",
                      self.refusal("networks:network", "--size", "8", "8", "8"))
        said = self.refusal("networks:Untraceable")
        self.assertIn("no TorchScript answers as the network does", said)
        self.assertIn("trace: its outputs differ", said)

    @unittest.skipUnless(importlib.util.find_spec("timm"), "timm is not here")
    def test_timms_names_bring_preprocessing_and_labels(self):
        model, said = self.export("timm:mobilenetv3_small_050")
        self.assertIn("the server's scores are PyTorch's", said)
        self.assertIn("height: 224\n", (model / "config.pbtxt").read_text())
        labels = (model / "labels.txt").read_text().splitlines()
        self.assertEqual(len(labels), 1000)
        self.assertIn("tabby", labels[281])


if __name__ == "__main__":
    unittest.main()
