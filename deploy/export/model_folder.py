"""Writes a model folder that the server loads: config.pbtxt, labels.txt and the
TorchScript file of one version."""

import hashlib
import re


def numbers(values):
    return ", ".join(f"{value:g}" for value in values)


def kept_config(text, digest):
    """A config.pbtxt with its sha256 replaced, or left out for None."""
    line = "" if digest is None else f'sha256: "{digest}"\n'
    return re.sub(r"^[ \t]*sha256[ \t]*:.*\n?", line, text,
                  flags=re.MULTILINE)


def write_whole(path, text):
    """Whoever reads the file finds the old text or the new one."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def write_labels(path, labels, num_outputs, keep):
    """Writes labels.txt, unless there is one to keep, which must fit."""
    if keep and path.exists():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines != num_outputs:
            raise ValueError(f"{path}: {lines} lines for {num_outputs} classes "
                             "(see --labels, --overwrite-config)")
    elif labels:
        write_whole(path, "\n".join(labels) + "\n")
    else:
        path.unlink(missing_ok=True)


def write_config(path, text, digest, keep):
    """Writes config.pbtxt, or keeps all of it but the digest."""
    if keep and path.exists():
        text = kept_config(path.read_text(encoding="utf-8"), digest)
    write_whole(path, text)


def write(model, version, script, *, config, labels, num_outputs, keep_config,
          keep_labels):
    """Writes `script` as that version in the folder `model`, and returns the path
    of its file.  `config` has no sha256: it is added where the version is the
    only one."""
    file = model / str(version) / "model.pt"
    model.mkdir(parents=True, exist_ok=True)
    write_labels(model / "labels.txt", labels, num_outputs, keep=keep_labels)
    # A server that is started meanwhile sees the version when all is in place.
    part = model / "model.pt.part"
    script.save(str(part))
    # config.pbtxt is for all versions, a digest for one.
    others = [folder for folder in model.iterdir()
              if folder.name.isdigit() and folder != file.parent]
    digest = (None if others else
              hashlib.sha256(part.read_bytes()).hexdigest())
    if digest is not None:
        config += f'sha256: "{digest}"\n'
    write_config(model / "config.pbtxt", config, digest, keep=keep_config)
    file.parent.mkdir(exist_ok=True)
    part.replace(file)
    return file
