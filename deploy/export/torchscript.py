"""Writes a model as a TorchScript file that depends on nothing but its bytes."""

import io
import zipfile

import torch

# LibTorch maps tensors from multiples of this many bytes.
_ALIGNMENT = 64
_LOCAL_HEADER = 30


def save(model, path):
    """Scripts `model` in eval mode and writes it to `path`, without the debug
    records (which hold the source files' paths) and without dates: the same
    weights give the same file."""
    full = io.BytesIO()
    torch.jit.save(torch.jit.script(model.eval()), full)
    with zipfile.ZipFile(full) as source, \
            zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as target:
        for info in source.infolist():
            if not info.filename.endswith(".debug_pkl"):
                _write_aligned(target, info.filename, source.read(info))


def _write_aligned(archive, name, content):
    info = zipfile.ZipInfo(name)
    start = archive.fp.tell() + _LOCAL_HEADER + len(name.encode())
    # An extra field: two bytes of name, two of length, then that many bytes.
    padding = -(start + 4) % _ALIGNMENT
    info.extra = b"FB" + padding.to_bytes(2, "little") + b"Z" * padding
    archive.writestr(info, content)
