#!/usr/bin/python3
"""Trains the model on generated scenes and writes 1/model.pt.

    train.py [--cache DIR] [--count N] [--bf16] [--start FILE]
             [--checkpoints DIR]

First it makes scenes and close-ups (kept in --cache for the next time), then
it trains on close-ups, on scenes at a lower resolution, on scenes, and on
other scenes, and reports the mean average precision on held-out photographs.
With the same arguments and versions it gives the same model.  --start goes on
from an earlier model with the last stage alone.  --checkpoints keeps the model as it
is before training and after each epoch, as DIR/1/model.pt, DIR/2/model.pt, ...:
the versions of a model folder.
"""

import argparse
import copy
import multiprocessing
import os
import sys
import tempfile
import time

import numpy as np
import torch
from torch import distributed, nn

import glyphs
import preprocessing
import scenes
import scores
from network import ResidualNet

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "../../export"))
import torchscript

# (what is trained on, its seed, side of the images, epochs, peak learning
# rate). On close-ups the net soon learns what the things look like; on scenes
# alone, where they are small and many, it takes long to begin to learn at all.
# By the end it knows the scenes of the first seed by heart.
STAGES = (("close-up", 1, 64, 10, 4e-3), ("scene", 1, 128, 8, 3e-3),
          ("scene", 1, 160, 8, 3e-3), ("scene", 1, 224, 10, 2e-3),
          ("scene", 2, 224, 6, 1.2e-3))
BATCH = 64
WEIGHT_DECAY = 0.02
SEED = 1
SIDES = {"scene": preprocessing.SIDE, "close-up": 64}


def load_scenes(cache, split, style, count, seed=SEED):
    """([N,3,S,S] uint8, [N,20] float32 truths: 1, 0, -1 for difficult), from
    the cache or made now; S is 224 for scenes and 64 for close-ups."""
    path = os.path.join(cache, f"{split}-{style}-{seed}-{count}.npz")
    if not os.path.exists(path):
        _make_cache(path, split, style, count, seed)
    stored = np.load(path)
    return torch.from_numpy(stored["pixels"]), torch.from_numpy(
        stored["truths"])


def _make_cache(path, split, style, count, seed):
    scenes.check_packages()
    side = SIDES[style]
    pixels = np.empty((count, 3, side, side), np.uint8)
    truths = np.empty((count, len(glyphs.CATEGORIES)), np.float32)
    start = time.monotonic()
    made = scenes.make_scenes(split, seed, count, style=style)
    for i, scene in enumerate(made):
        pixels[i] = preprocessing.squash(scene.image(), side)
        truths[i] = scene.truths()
    os.makedirs(os.path.dirname(path), exist_ok=True)
    np.savez(path, pixels=pixels, truths=truths)
    print(f"made {count} images ({split}, {style}) in "
          f"{time.monotonic() - start:.0f} s", flush=True)


def loss_of(logits, truths):
    """Mean binary cross-entropy; difficult categories (-1) do not count."""
    each = nn.functional.binary_cross_entropy_with_logits(
        logits, truths.clamp(min=0), reduction="none")
    known = (truths >= 0).float()
    return (each * known).sum() / known.sum()


def augment(images, generator):
    """[B,3,H,W] normalised images, each mirrored or not, its channels
    scaled and shifted a little."""
    rows = len(images)
    mirrored = torch.rand(rows, generator=generator) < 0.5
    images[mirrored] = images[mirrored].flip(-1)
    scale = 1 + 0.1 * torch.randn(rows, 3, 1, 1, generator=generator)
    shift = 0.1 * torch.randn(rows, 3, 1, 1, generator=generator)
    return images * scale + shift


def resize(pixels, side):
    """[N,3,S,S] uint8 to [N,3,side,side] uint8, antialiased."""
    if pixels.shape[-1] == side:
        return pixels
    parts = [nn.functional.interpolate(part.float(), size=(side, side),
                                       mode="bilinear", antialias=True,
                                       align_corners=False)
             .round().clamp(0, 255).byte() for part in pixels.split(BATCH)]
    return torch.cat(parts)


class Checkpoints:
    """Keeps a model's states in a folder, or nowhere when it is None."""

    def __init__(self, folder):
        self._folder = folder
        self._count = 0

    def save(self, model):
        if self._folder is None:
            return
        self._count += 1
        folder = os.path.join(self._folder, str(self._count))
        os.makedirs(folder, exist_ok=True)
        save(model, os.path.join(folder, "model.pt"))


def save(model, path):
    """Writes a copy of the model, its weights in their usual order."""
    torchscript.save(copy.deepcopy(model).to(
        memory_format=torch.contiguous_format), path)


def train(model, stages, data, processes, bf16, checkpoints):
    """Trains `model` in place through `stages`; `data` holds (pixels, truths)
    by style and seed, and each batch is shared among `processes`."""
    checkpoints.save(model)
    data = [(resize(data[style, seed][0], side), data[style, seed][1])
            for style, seed, side, _, _ in stages]
    with tempfile.TemporaryDirectory() as folder:
        meeting = "file://" + os.path.join(folder, "meeting")
        jobs = [(rank, processes, meeting, model, stages, data, bf16,
                 checkpoints if rank == 0 else Checkpoints(None))
                for rank in range(processes)]
        others = [multiprocessing.get_context("fork").Process(
            target=_train_share, args=job) for job in jobs[1:]]
        for other in others:
            other.start()
        _train_share(*jobs[0])
        for other in others:
            other.join()


def _train_share(rank, processes, meeting, model, stages, data, bf16,
                 checkpoints):
    """What one process does: its rows of every batch."""
    distributed.init_process_group("gloo", meeting, rank=rank,
                                   world_size=processes)
    shuffling = torch.Generator().manual_seed(SEED)
    augmenting = torch.Generator().manual_seed(SEED + 1 + rank)
    start = time.monotonic()
    for (pixels, truths), (_, _, side, epochs, rate) in zip(data, stages):
        batches = len(truths) // BATCH
        optimizer, schedule = _optimizer(model, rate, epochs * batches)
        for _ in range(epochs):
            order = torch.randperm(len(truths), generator=shuffling)
            rows = order[:batches * BATCH].view(batches, BATCH)
            loss = _train_epoch(model, pixels, truths,
                                rows[:, rank::processes], optimizer, schedule,
                                augmenting, bf16)
            checkpoints.save(model)
            if rank == 0:
                print(f"side {side}  loss {loss:.4f}  "
                      f"{time.monotonic() - start:.0f} s", flush=True)
    distributed.destroy_process_group()


def _optimizer(model, peak_rate, steps):
    """AdamW, its rate rising to `peak_rate`, then falling to nearly nothing."""
    optimizer = torch.optim.AdamW(model.parameters(), peak_rate,
                                  weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, peak_rate, total_steps=steps, pct_start=0.15)
    return optimizer, schedule


def _train_epoch(model, pixels, truths, batches, optimizer, schedule,
                 augmenting, bf16):
    """One pass over `batches` [n,rows] of indices; their mean loss."""
    model.train()
    total = 0.0
    for rows in batches:
        images = augment(preprocessing.normalise(pixels[rows]), augmenting)
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            logits = model(images)
        loss = loss_of(logits.float(), truths[rows])
        optimizer.zero_grad()
        loss.backward()
        _average_gradients(model)
        optimizer.step()
        schedule.step()
        total += loss.item()
    return total / len(batches)


def _average_gradients(model):
    """Replaces the gradients by their mean over the processes."""
    gradients = [p.grad for p in model.parameters()]
    together = torch.cat([g.flatten() for g in gradients])
    distributed.all_reduce(together)
    together /= distributed.get_world_size()
    parts = together.split([g.numel() for g in gradients])
    for gradient, part in zip(gradients, parts):
        gradient.copy_(part.view(gradient.shape))


@torch.no_grad()
def predict(model, pixels):
    """[N,20] logits, float32."""
    model.eval()
    return torch.cat([model(preprocessing.normalise(part))
                      for part in pixels.split(BATCH)])


def _parse_arguments():
    parser = argparse.ArgumentParser(description="Train the bundled model.")
    parser.add_argument("--cache", default="/tmp/voc-emoji",
                        help="where scenes are kept (/tmp/voc-emoji)")
    parser.add_argument("--count", type=int, default=16000,
                        help="training images of either kind (16000)")
    parser.add_argument("--test-count", type=int, default=1000,
                        help="held-out scenes (1000)")
    parser.add_argument("--processes", type=int, default=2,
                        help="that share the work, one thread each (2)")
    parser.add_argument("--bf16", action="store_true",
                        help="bfloat16 arithmetic: faster where the CPU has it")
    parser.add_argument("--start", help="model.pt to go on from")
    parser.add_argument("--checkpoints", metavar="DIR",
                        help="where each epoch's model is kept: nowhere")
    parser.add_argument("--out", default=os.path.join(HERE, "1", "model.pt"))
    return parser.parse_args()


def main():
    arguments = _parse_arguments()
    # Two threads would wait for each other in every layer, two processes do
    # so once a batch. It also makes it safe to fork.
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    stages = STAGES[-1:] if arguments.start else STAGES
    data = {(style, seed): load_scenes(arguments.cache, "train", style,
                                       arguments.count, seed)
            for style, seed, _, _, _ in stages}
    test_pixels, test_truths = load_scenes(arguments.cache, "test", "scene",
                                           arguments.test_count)
    model = ResidualNet(len(glyphs.CATEGORIES))
    if arguments.start:
        model.load_state_dict(torch.jit.load(arguments.start).state_dict())
    model = model.to(memory_format=torch.channels_last)
    start = time.monotonic()
    train(model, stages, data, arguments.processes, arguments.bf16,
          Checkpoints(arguments.checkpoints))
    seconds = time.monotonic() - start
    mean_precision = scores.mean_average_precision(
        predict(model, test_pixels).numpy(), test_truths.numpy())
    save(model, arguments.out)
    print(f"parameters {sum(p.numel() for p in model.parameters())}\n"
          f"training time {seconds:.0f} s\n"
          f"mean average precision {mean_precision:.4f} on "
          f"{arguments.test_count} held-out scenes")


if __name__ == "__main__":
    main()
