#!/usr/bin/python3
"""Takes the place of docker and kubectl where there is no engine and no
cluster: does what can be done without, checks that whatever a command names
exists, and refuses all that it does not know.

Called by the name that it stands in for.  STAND_IN_ROOT is the checkout,
STAND_IN_KUBECTL the real kubectl, STAND_IN_SERVER the real server.
"""

import os
import pathlib
import re
import subprocess
import sys

import yaml

ROOT = pathlib.Path(os.environ["STAND_IN_ROOT"])
NAMESPACE = "saliency"
TAGS = {"saliency-server:0.1.0-cpu", "saliency-server:0.1.0-cuda"}


def need(condition, what):
    if not condition:
        sys.exit(f"stand-in: {what}")


def build(folder):
    """The objects of a kustomization, built by the real kubectl."""
    text = subprocess.run([os.environ["STAND_IN_KUBECTL"], "kustomize",
                           folder], check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True).stdout
    return list(yaml.safe_load_all(text))


def find(reference):
    """The object that "deployment/saliency-server" means."""
    kind, _, name = reference.partition("/")
    for folder in ("overlays/cpu", "evaluate"):
        for document in build(ROOT / "deploy/kubernetes" / folder):
            if (document["kind"].lower() == kind and
                    document["metadata"]["name"] == name):
                return document
    return need(False, f"no {reference} in the manifests")


def secrets_used():
    """{name: keys} of the secrets that the manifests mount."""
    used = {}
    for folder in ("tls", "evaluate-tls"):
        for document in build(ROOT / "deploy/kubernetes/examples" / folder):
            if document["kind"] not in ("Deployment", "Job"):
                continue
            pod = document["spec"]["template"]["spec"]
            container = pod["containers"][0]
            mounts = {mount["name"]: mount["mountPath"]
                      for mount in container["volumeMounts"]}
            paths = [variable["value"] for variable in container.get("env", [])]
            paths += [argument.partition("=")[2]
                      for argument in container["args"]]
            for volume in pod["volumes"]:
                if "secret" in volume:
                    mounted = mounts[volume["name"]] + "/"
                    used[volume["secret"]["secretName"]] = {
                        path[len(mounted):] for path in paths
                        if path.startswith(mounted)}
    return used


def create_secret(kind, name, *files):
    keys = set()
    for argument in files:
        if kind == "tls":
            flag, path = argument.split("=")
            keys.add({"--cert": "tls.crt", "--key": "tls.key"}[flag])
        else:
            flag, key, path = argument.split("=")
            need(flag == "--from-file", f"unknown {flag}")
            keys.add(key)
        need(pathlib.Path(path).exists(), f"no {path}")
    need(secrets_used().get(name) == keys, f"secret {name} is used with "
         f"{secrets_used().get(name)}, and created with {keys}")


def apply(flag, what):
    if flag == "-k":
        need(build(what), f"{what} is empty")
        return
    need((flag, what) == ("-f", "-"), f"unknown: apply {flag} {what}")
    document = yaml.safe_load(sys.stdin.read())
    need(document["kind"] == "PrometheusRule", document["kind"])
    need(document["spec"]["groups"][0]["rules"], "no rules")


def kubectl(arguments):
    if arguments[0] == "-n":
        need(arguments[1] == NAMESPACE, f"namespace {arguments[1]}")
        arguments = arguments[2:]
    verb, *rest = arguments
    if verb == "apply":
        apply(*rest)
    elif verb == "rollout":
        need(rest[0] in ("status", "undo", "restart"), rest[0])
        find(rest[1])
    elif verb in ("logs", "describe"):
        flags = [word for word in rest if word.startswith("-")]
        need(set(flags) <= {"--follow", "--previous"}, f"unknown {flags}")
        find(next(word for word in rest if not word.startswith("-")))
    elif verb == "get":
        need(rest == ["pods"], f"unknown: get {rest}")
    elif verb == "port-forward":
        port = int(rest[1].split(":")[1])
        need(port in [p["port"] for p in find(rest[0])["spec"]["ports"]],
             f"{rest[0]} has no port {port}")
    elif verb == "set":
        container, image = rest[2].split("=")
        pod = find(rest[1])["spec"]["template"]["spec"]
        need(container in [c["name"] for c in pod["containers"]], container)
        need(rest[0] == "image" and image in TAGS, image)
    elif verb == "create":
        need(rest[0] == "secret", rest[0])
        create_secret(*rest[1:])
    else:
        need(False, f"unknown: kubectl {verb}")


def docker_build(arguments):
    dockerfile = (ROOT / "docker/Dockerfile").read_text()
    words = iter(arguments)
    for word in words:
        if word == "-f":
            need(next(words) == "docker/Dockerfile", "another Dockerfile")
        elif word == "-t":
            tag = next(words)
            need(tag in TAGS, tag)
        elif word == "--build-arg":
            name = next(words).split("=")[0]
            need(f"\nARG {name}=" in dockerfile, f"no ARG {name}")
        else:
            need(word == ".", f"unknown: docker build {word}")


def docker_run(arguments):
    options = subprocess.run([os.environ["STAND_IN_SERVER"], "--help"],
                             check=True, stdout=subprocess.PIPE,
                             text=True).stdout
    words = iter(arguments)
    for word in words:
        if word == "-e":
            name = next(words).split("=")[0]
            need(f"(Env:{name})" in options, f"the server reads no {name}")
        elif word == "-p":
            need(re.fullmatch(r"127\.0\.0\.1:\d+:50051", next(words)), "port")
        elif word == "--cap-drop":
            need(next(words) == "ALL", "capabilities")
        elif word not in ("--rm", "--read-only"):
            need(word in TAGS, f"unknown: docker run {word}")


def docker(arguments):
    verb, *rest = arguments
    if verb == "build":
        docker_build(rest)
    elif verb == "run":
        docker_run(rest)
    else:
        need(arguments == ["compose", "-f", "docker/compose.yaml", "up",
                           "--build", "--wait"], f"unknown: {arguments}")


if __name__ == "__main__":
    {"kubectl": kubectl, "docker": docker}[
        pathlib.Path(sys.argv[0]).name](sys.argv[1:])
