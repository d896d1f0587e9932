#!/usr/bin/python3
"""promtool accepts the configuration and the rules, the rules' own unit tests
pass, and no rule goes untested."""

import subprocess
import unittest

import needs
from server_process import ROOT

yaml = needs.module("yaml", "python3-yaml")

FOLDER = ROOT / "deploy/prometheus"
PROMTOOL = None


def promtool(*arguments):
    """Runs promtool in deploy/prometheus and fails with what it says."""
    result = subprocess.run([PROMTOOL, *arguments], cwd=FOLDER, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if result.returncode != 0:
        raise AssertionError(result.stdout)


def load(pattern):
    return [yaml.safe_load(path.read_text())
            for path in sorted(FOLDER.glob(pattern))]


def rules():
    return [rule for file in load("rules/*.yml") for group in file["groups"]
            for rule in group["rules"]]


class PrometheusRulesTest(unittest.TestCase):

    def test_the_configuration_is_valid(self):
        promtool("check", "config", "prometheus.yml")

    def test_the_unit_tests_of_the_rules_pass(self):
        files = sorted(str(path.relative_to(FOLDER))
                       for path in FOLDER.glob("tests/*.test.yml"))
        self.assertGreaterEqual(len(files), 2)
        promtool("test", "rules", *files)

    def test_every_alert_is_tested_silent_and_firing(self):
        silent, firing = set(), set()
        for file in load("tests/*.test.yml"):
            for test in file["tests"]:
                for case in test.get("alert_rule_test", []):
                    where = firing if case["exp_alerts"] else silent
                    where.add(case["alertname"])
        alerts = {rule["alert"] for rule in rules() if "alert" in rule}
        self.assertEqual(alerts, firing)
        self.assertEqual(alerts, silent)

    def test_every_recording_rule_is_tested(self):
        tested = " ".join(case["expr"]
                          for file in load("tests/*.test.yml")
                          for test in file["tests"]
                          for case in test.get("promql_expr_test", []))
        for rule in rules():
            if "record" in rule:
                self.assertIn(rule["record"], tested)

    def test_every_alert_says_what_to_do(self):
        page = (ROOT / "deploy/README.md").read_text()
        for rule in rules():
            if "alert" not in rule:
                continue
            self.assertIn(rule["labels"]["severity"], ("page", "ticket"))
            self.assertTrue(rule["annotations"]["summary"])
            anchor = rule["alert"].lower()
            self.assertEqual(rule["annotations"]["runbook"],
                             f"deploy/README.md#{anchor}")
            self.assertIn(f"### {rule['alert']}\n", page)


if __name__ == "__main__":
    PROMTOOL = needs.program("promtool", "prometheus")
    unittest.main()
