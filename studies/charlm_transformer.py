"""The next character of Python's own help texts, with a transformer of one block.

The texts behind ``help("for")`` come with every Python; their wording differs a little between versions.
"""

from pydoc_data.topics import topics

import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import TensorDataset

epochs = 3
batch_size = 16
metric = "perplexity"
CONTEXT = 48

text = "".join(topics[name] for name in sorted(topics))[:60_000]
letters = sorted(set(text))
numbers = {letter: number for number, letter in enumerate(letters)}
codes = torch.tensor([numbers[letter] for letter in text])


def cut(part):
    """Pieces of the text as inputs, and the same pieces one character later as targets."""
    pieces = (len(part) - 1) // CONTEXT
    inputs, targets = part[: pieces * CONTEXT], part[1 : pieces * CONTEXT + 1]
    return TensorDataset(inputs.reshape(pieces, CONTEXT), targets.reshape(pieces, CONTEXT))


border = int(0.85 * len(codes))
train_data, val_data = cut(codes[:border]), cut(codes[border:])


class Block(nn.Module):
    """Attention to what came before, then a feed-forward layer, both beside a skip connection."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend, self.project = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x):
        rows, steps, width = x.shape
        shape = (rows, steps, self.heads, width // self.heads)
        query, key, value = (
            part.reshape(shape).transpose(1, 2) for part in self.attend(self.norm1(x)).chunk(3, dim=-1)
        )
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.project(seen.transpose(1, 2).reshape(rows, steps, width))
        return x + self.feed(self.norm2(x))


class CharacterModel(nn.Module):
    def __init__(self, width=64, heads=4, blocks=1):
        super().__init__()
        self.letters = nn.Embedding(len(letters), width)
        self.places = nn.Embedding(CONTEXT, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(blocks)))
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, len(letters)))

    def forward(self, codes):
        places = torch.arange(codes.shape[1], device=codes.device)
        return self.head(self.blocks(self.letters(codes) + self.places(places)))


model = CharacterModel
