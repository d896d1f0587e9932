#!/usr/bin/python3
"""deploy/README.md is true: its commands run, in the order in which they stand,
and its flags, metrics and links exist.

A block of ```sh is run; one of ```sh server is a server that stays up for the
blocks after it; one of ```sh build is run by docker/check.sh, by way of the
scripts that the image is built with.
"""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import needs
from server_process import (PATIENCE_S, ROOT, ServerProcess, binary,
                            emoji_repository, without_settings)

PAGE = ROOT / "deploy/README.md"
HERE = pathlib.Path(__file__).resolve().parent
# What its servers serve.
BUNDLED = list((ROOT / "deploy/models").iterdir())


def blocks():
    """(kind, text) of each block of commands; kind is "", "server", "build"."""
    return re.findall(r"^```sh ?(\w*)\n(.*?)^```$", PAGE.read_text(),
                      re.MULTILINE | re.DOTALL)


def help_of(program, *arguments):
    return subprocess.run([binary(program), *arguments, "--help"], check=True,
                          env=without_settings(), stdout=subprocess.PIPE,
                          text=True).stdout


class Workplace:
    """A folder that looks like a checkout after a build, to run commands in,
    with docker and kubectl replaced."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("deploy", "docker"):
            (folder / name).symlink_to(ROOT / name)
        (folder / "build/release").mkdir(parents=True)
        (folder / "build/release/bin").symlink_to(os.environ["SALIENCY_BIN"])
        self.tools = folder / "tools"
        self.tools.mkdir()
        for name in ("kubectl", "docker"):
            (self.tools / name).symlink_to(HERE / "stand_in.py")
        for name in ("saliency", "saliency-server"):
            (self.tools / name).symlink_to(binary(name))
        self.environment = {
            **without_settings(),
            "PATH": f"{self.tools}:{os.environ['PATH']}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "STAND_IN_ROOT": str(ROOT),
            "STAND_IN_KUBECTL": needs.program("kubectl", "kubernetes-client"),
            "STAND_IN_SERVER": str(binary("saliency-server")),
        }
        self.server = None

    def run(self, text):
        result = subprocess.run(["bash", "-euo", "pipefail", "-c", text],
                                cwd=self.folder, env=self.environment,
                                stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True,
                                timeout=PATIENCE_S, check=False)
        if result.returncode != 0:
            raise AssertionError(f"{text}ended with {result.returncode}:\n"
                                 f"{result.stdout}")
        return result.stdout

    def serve(self, text):
        self.close()
        text = text.replace("saliency-server ", f"{binary('saliency-server')} ",
                            1) if text.startswith("saliency-server") else text
        self.server = ServerProcess(
            command=["bash", "-c", f"exec {text}"], cwd=self.folder)
        self.server.await_models(len(BUNDLED))
        self.environment["SALIENCY_SERVER"] = self.server.address
        self.environment["SALIENCY_METRICS"] = self.server.metrics_address

    def close(self):
        if self.server is not None:
            code = self.server.close()
            self.server = None
            assert code == 0, code


class OperatorsPageTest(unittest.TestCase):

    def test_its_commands_run_as_they_stand(self):
        with tempfile.TemporaryDirectory() as folder:
            workplace = Workplace(pathlib.Path(folder))
            self.addCleanup(workplace.close)
            ran = 0
            for kind, text in blocks():
                if kind == "server":
                    workplace.serve(text)
                elif kind == "":
                    workplace.run(text)
                ran += kind != "build"
            workplace.close()
            self.assertGreater(ran, 20)

    def test_what_it_builds_is_built_by_the_image_too(self):
        build = [text for kind, text in blocks() if kind == "build"]
        self.assertEqual(build, [
            "deploy/install_packages.sh build run\n"
            "deploy/build.sh release saliency-server saliency\n"])
        self.assertIn("groups=(build run ",
                      (ROOT / "docker/install_build.sh").read_text())
        self.assertIn("deploy/build.sh release saliency-server saliency\n",
                      (ROOT / "docker/build.sh").read_text())

    def test_no_command_stands_outside_a_block_that_is_run(self):
        fences = re.findall(r"^```(.*)$", PAGE.read_text(), re.MULTILINE)
        # Opening and closing in turn.
        self.assertLessEqual(set(fences[0::2]),
                             {"sh", "sh server", "sh build", ""})
        self.assertEqual(set(fences[1::2]), {""})
        others = re.findall(r"^```\n(.*?)^```$",
                            re.sub(r"^```sh.*?^```$", "", PAGE.read_text(),
                                   flags=re.MULTILINE | re.DOTALL),
                            re.MULTILINE | re.DOTALL)
        for text in others:
            self.assertNotRegex(text, r"^(saliency|kubectl|docker|deploy)")

    def test_its_flags_exist(self):
        text = PAGE.read_text()
        known = help_of("saliency-server") + help_of("saliency", "explain")
        known += (ROOT / "deploy/export/torchvision_model.py").read_text()
        known += help_of("saliency", "evaluate", "pointing-game")
        flags = set(re.findall(r"`(--[a-z-]+)[ =`]", text))
        self.assertGreater(len(flags), 15)
        for flag in flags:
            self.assertRegex(known, rf"{flag}\b")

    def test_its_environment_variables_exist(self):
        known = help_of("saliency-server") + help_of("saliency", "explain")
        for name in set(re.findall(r"`(SALIENCY_[A-Z_]+)", PAGE.read_text())):
            if name != "SALIENCY_MODELS":  # compose.yaml's as well
                self.assertRegex(known, rf"(Env:|\$){name}\)")

    def test_its_metrics_are_those_of_the_server(self):
        models = emoji_repository()
        self.addCleanup(models.cleanup)
        server = ServerProcess("--models", models.name)
        self.addCleanup(server.close)
        server.await_models(1)
        server.client("explain", ROOT / "deploy/models/voc-emoji/samples/"
                      "dog-tvmonitor.jpg")
        exported = set(re.findall(r"^# TYPE (saliency_\w+) ", server.metrics(),
                                  re.MULTILINE))
        rows = re.findall(r"^\| (`saliency_.*?) \|", PAGE.read_text(),
                          re.MULTILINE)
        told = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
        self.assertEqual(told, exported)

    def test_its_exit_codes_are_those_of_the_server(self):
        source = "".join((ROOT / "server" / name).read_text()
                         for name in ("server_process.h", "server_process.cc",
                                      "stop_signal.cc"))
        codes = set(re.findall(r"constexpr int k\w+ = (\d);", source))
        self.assertEqual(codes, {"1", "3", "4", "5", "6"})
        for code in codes | {"0", "2"}:
            self.assertRegex(PAGE.read_text(), rf"(?m)^\| {code} \|")

    def test_its_links_lead_somewhere(self):
        text = PAGE.read_text()
        anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower())
                   .replace(" ", "-")
                   for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
        for link in re.findall(r"\]\(([^)]+)\)", text):
            if link.startswith("#"):
                self.assertIn(link[1:], anchors)
            elif not link.startswith("http"):
                self.assertTrue((PAGE.parent / link).exists(), link)
        for path in re.findall(r"`((?:deploy|docker|examples|overlays|"
                               r"kubernetes)/[\w./-]+)`", text):
            self.assertTrue(
                any((base / path).exists() for base in
                    (ROOT, ROOT / "deploy", ROOT / "deploy/kubernetes")), path)


if __name__ == "__main__":
    needs.module("yaml", "python3-yaml")
    needs.module("torchvision", "python3-torchvision")
    needs.program("kubectl", "kubernetes-client")
    needs.program("promtool", "prometheus")
    needs.program("curl", "curl")
    needs.program("openssl", "openssl")
    unittest.main()
