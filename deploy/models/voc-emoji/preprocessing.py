"""Images to input tensors, as config.pbtxt describes it to the server."""

import numpy as np
import torch
from PIL import Image

SIDE = 224
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def squash(image, side=SIDE):
    """[3,side,side] uint8 from an RGB image; the aspect ratio is lost."""
    small = image.resize((side, side), Image.BILINEAR)
    return np.asarray(small).transpose(2, 0, 1)


def normalise(pixels):
    """[B,3,H,W] uint8 tensor to float32 with ImageNet's mean and deviation."""
    mean = torch.tensor(MEAN).view(1, 3, 1, 1)
    std = torch.tensor(STD).view(1, 3, 1, 1)
    return (pixels.float() / 255 - mean) / std
