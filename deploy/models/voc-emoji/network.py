"""The network: a small residual net for 224 x 224 images, its children named
as torchvision names those of its ResNets. Residual blocks: He, Zhang, Ren,
Sun, "Deep Residual Learning for Image Recognition", 2016, arXiv:1512.03385.
"""

import torch
from torch import nn

STEM_WIDTH = 16
WIDTHS = (24, 48, 96, 160)
BLOCKS = (1, 2, 2, 2)


def _conv3x3(inputs, outputs, stride=1):
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)


class Block(nn.Module):
    """[B,inputs,H,W] to [B,outputs,H/stride,W/stride], two convolutions."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = _conv3x3(inputs, outputs, stride)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU()
        self.conv2 = _conv3x3(outputs, outputs)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        change = self.relu(self.bn1(self.conv1(x)))
        change = self.bn2(self.conv2(change))
        return self.relu(self.downsample(x) + change)


def _shortcut(inputs, outputs, stride):
    if inputs == outputs and stride == 1:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False),
                         nn.BatchNorm2d(outputs))


def _layer(number, stride):
    """layer1 .. layer4: residual blocks, the first one with `stride`."""
    inputs = (STEM_WIDTH, *WIDTHS)[number - 1]
    outputs = WIDTHS[number - 1]
    later = [Block(outputs, outputs, 1) for _ in range(BLOCKS[number - 1] - 1)]
    return nn.Sequential(Block(inputs, outputs, stride), *later)


class ResidualNet(nn.Module):
    """[B,3,H,W] normalised images to [B,classes] logits. At 224 x 224 the
    layers' maps measure 56, 28, 14 and 7."""

    def __init__(self, classes: int):
        super().__init__()
        self.conv1 = nn.Conv2d(3, STEM_WIDTH, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(STEM_WIDTH)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        self.layer1 = _layer(1, stride=1)
        self.layer2 = _layer(2, stride=2)
        self.layer3 = _layer(3, stride=2)
        self.layer4 = _layer(4, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(WIDTHS[3], classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="expand_rows",
                                        nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))
