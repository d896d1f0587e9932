"""The queries of the dashboard, the rules and the autoscaler, and the names in
them."""

import json
import re

import needs
from server_process import ROOT

yaml = needs.module("yaml", "python3-yaml")

METRIC = re.compile(r"(?<![\w:])((?:[a-z_]+:)?saliency_[a-z_]+"
                    r"(?::[a-z0-9_]+)?)(?![\w:(])")
# What Grafana puts in place of its variables.
WINDOW = "$__rate_interval"


def dashboard_queries():
    """(panel title, query) of every target, variables left in."""
    path = ROOT / "deploy/grafana/dashboards/saliency.json"
    for panel in json.loads(path.read_text())["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


def rule_queries():
    """(name, query) of every recording and alerting rule."""
    for path in sorted((ROOT / "deploy/prometheus/rules").glob("*.yml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                yield rule.get("record") or rule["alert"], rule["expr"]


def adapter_queries():
    """(metric of the autoscaler, query template)."""
    path = ROOT / "deploy/kubernetes/prometheus-adapter/rules.yaml"
    for rule in yaml.safe_load(path.read_text())["rules"]:
        yield rule["name"]["as"], rule["metricsQuery"]


def metrics_in(query):
    """The series that a query names, ours alone."""
    # Label matchers and grouping lists hold no names of series.
    bare = re.sub(r"\{[^}]*\}", "", query)
    return set(METRIC.findall(bare))


def exported(page):
    """The names of the series on a /metrics page, those of histograms with
    their suffixes."""
    return set(re.findall(r"^([a-z_]+)(?:\{.*\})? ", page, re.MULTILINE))
