"""A residual network for small images, after He et al., Deep Residual Learning for Image Recognition, 2015.

The paper's CIFAR-10 design (section 4.2) with n = 1, so eight layers: a 3 × 3 convolution, three stages of one
basic block each that halve the image and double the filters, global average pooling. Shortcuts are projections
(option B) where the shape changes. Data: scikit-learn's digits, 8 × 8 pixels.
"""

from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

epochs = 5
batch_size = 64
metric = "accuracy"


class BasicBlock(nn.Module):
    """Two 3 × 3 convolutions with batch norm, and their input added to what they give."""

    def __init__(self, inputs, filters, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, filters, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(filters)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != filters:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, filters, 1, stride, bias=False), nn.BatchNorm2d(filters)
            )

    def forward(self, x):
        y = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self, width=8, classes=10):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.stages = nn.Sequential(
            BasicBlock(width, width, 1), BasicBlock(width, 2 * width, 2), BasicBlock(2 * width, 4 * width, 2)
        )
        self.head = nn.Linear(4 * width, classes)

    def forward(self, images):
        return self.head(self.stages(self.stem(images)).mean(dim=(2, 3)))


model = ResNet


def train_data():
    images, digits = load_digits(return_X_y=True)
    return images.reshape(-1, 1, 8, 8) / 16, digits
