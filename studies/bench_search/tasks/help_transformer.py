"""The next character of Python's own help texts, with a transformer of one block.

The texts behind ``help("for")`` come with every Python; their wording differs a little between versions. 7,680
characters to train on, 4,800 and 9,600 to score, letters only in lower case.
"""

import re
from pydoc_data.topics import topics

import torch
from torch import nn
from torch.nn import functional

epochs = 9
batch_size = 16
loss = nn.CrossEntropyLoss()
CONTEXT = 24
ALPHABET = " abcdefghijklmnopqrstuvwxyz.,"

text = re.sub(r"[^a-z.,]+", " ", "".join(topics[name] for name in sorted(topics)).lower())
codes = torch.tensor([ALPHABET.index(letter) for letter in text[:22_081]])


def cut(start, stop):
    """Pieces of the text as inputs (rows, context), and the same pieces one character later (rows, context)."""
    return codes[start:stop].reshape(-1, CONTEXT), codes[start + 1 : stop + 1].reshape(-1, CONTEXT)


train_data, val_data, test_data = cut(0, 7_680), cut(7_680, 12_480), cut(12_480, 22_080)


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
        parts = self.attend(self.norm1(x)).reshape(rows, steps, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.project(seen.transpose(1, 2).reshape(rows, steps, width))
        return x + self.feed(self.norm2(x))


class CharacterModel(nn.Module):
    def __init__(self, width=32, heads=2):
        super().__init__()
        self.letters, self.places = nn.Embedding(len(ALPHABET), width), nn.Embedding(CONTEXT, width)
        self.block = Block(width, heads)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, len(ALPHABET)))

    def forward(self, codes):
        places = torch.arange(codes.shape[1], device=codes.device)
        return self.head(self.block(self.letters(codes) + self.places(places)))


model = CharacterModel
