"""An encoder–decoder with attention written out by hand, after Vaswani et al., Attention Is All You Need, 2017.

One layer each, normalisation after the residual sum and sinusoidal positions as in the paper; nothing of
torch.nn's attention is used. Data, made: rows of twelve digits, to be written down in ascending order.
"""

import math

import torch
from torch import nn

epochs = 5
batch_size = 50
LENGTH, START, SYMBOLS = 12, 10, 11


class MultiHead(nn.Module):
    """softmax(Q Kᵀ / √d) V in several heads (section 3.2)."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, asking, asked, mask=None):
        q, k, v = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer, x in ((self.q, asking), (self.k, asked), (self.v, asked))
        )
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask, -torch.inf)
        return self.out((scores.softmax(dim=-1) @ v).transpose(1, 2).flatten(2))


def feed_forward(width):
    return nn.Sequential(nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width))


class Encoder(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attend, self.feed = MultiHead(width, heads), feed_forward(width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x):
        x = self.norm1(x + self.attend(x, x))
        return self.norm2(x + self.feed(x))


class Decoder(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.back, self.across, self.feed = (
            MultiHead(width, heads),
            MultiHead(width, heads),
            feed_forward(width),
        )
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))

    def forward(self, x, told):
        later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).triu(1)
        x = self.norm1(x + self.back(x, x, later))
        x = self.norm2(x + self.across(x, told))
        return self.norm3(x + self.feed(x))


class Transformer(nn.Module):
    def __init__(self, width=32, heads=4):
        super().__init__()
        self.width = width
        self.symbols = nn.Embedding(SYMBOLS, width)
        self.encoder, self.decoder = Encoder(width, heads), Decoder(width, heads)
        self.head = nn.Linear(width, SYMBOLS)
        place = torch.arange(LENGTH)[:, None] / 10000 ** (torch.arange(0, width, 2) / width)
        self.register_buffer("places", torch.stack([place.sin(), place.cos()], dim=2).flatten(1))

    def embed(self, codes):
        return self.symbols(codes) * math.sqrt(self.width) + self.places

    def forward(self, read, written):
        return self.head(self.decoder(self.embed(written), self.encoder(self.embed(read))))


model = Transformer


def train_data():
    digits = torch.randint(0, 10, (1000, LENGTH), generator=torch.Generator().manual_seed(0))
    ordered = digits.sort(dim=1).values
    written = torch.cat([torch.full((1000, 1), START), ordered[:, :-1]], dim=1)
    return digits, written, ordered
