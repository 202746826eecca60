"""A U-Net, after Ronneberger, Fischer and Brox, U-Net: Convolutional Networks for Biomedical Image Segmentation, 2015.

Two levels down and up again, no batch norm as in the paper; each level's output is handed across to the other
side. The convolutions are padded, so that nothing has to be cropped. Data, made: noisy images of 16 × 16 pixels
with one bright disc each, to be told from its background pixel by pixel.
"""

import torch
from torch import nn

epochs = 5
batch_size = 25
SIZE = 16


def twice(inputs, filters):
    """Two 3 × 3 convolutions, each with a ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, filters, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(filters, filters, 3, padding=1),
        nn.ReLU(),
    )


class UNet(nn.Module):
    def __init__(self, width=8, classes=2):
        super().__init__()
        self.down1, self.down2, self.bottom = (
            twice(1, width),
            twice(width, 2 * width),
            twice(2 * width, 4 * width),
        )
        self.shrink = nn.MaxPool2d(2)
        self.up2, self.up1 = (nn.ConvTranspose2d(2 * n, n, 2, stride=2) for n in (2 * width, width))
        self.join2, self.join1 = twice(4 * width, 2 * width), twice(2 * width, width)
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, images):
        level1 = self.down1(images)
        level2 = self.down2(self.shrink(level1))
        lowest = self.bottom(self.shrink(level2))
        x = self.join2(torch.cat([level2, self.up2(lowest)], dim=1))
        return self.head(self.join1(torch.cat([level1, self.up1(x)], dim=1)))


model = UNet


def train_data():
    draw = torch.Generator().manual_seed(0)
    centre = torch.rand(400, 2, 1, 1, generator=draw) * 8 + 4
    radius = torch.rand(400, 1, 1, generator=draw) * 3 + 2
    place = torch.arange(SIZE).float()
    far = (place[:, None] - centre[:, 0]) ** 2 + (place - centre[:, 1]) ** 2
    disc = far < radius**2
    images = disc.float() + 0.5 * torch.randn(400, SIZE, SIZE, generator=draw)
    return images[:, None], disc.long()
