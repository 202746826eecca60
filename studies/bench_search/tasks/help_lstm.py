"""The next character of Python's own help texts, with an LSTM.

Another part of the texts than ``help_transformer`` reads: 6,400 characters to train on, 4,800 and 9,600 to score.
"""

import re
from pydoc_data.topics import topics

import torch
from torch import nn

epochs = 9
batch_size = 16
loss = nn.CrossEntropyLoss()
CONTEXT, START = 16, 60_000
ALPHABET = " abcdefghijklmnopqrstuvwxyz.,"

text = re.sub(r"[^a-z.,]+", " ", "".join(topics[name] for name in sorted(topics)).lower())
codes = torch.tensor([ALPHABET.index(letter) for letter in text[START : START + 20_801]])


def cut(start, stop):
    """Pieces of the text as inputs (rows, context), and the same pieces one character later (rows, context)."""
    return codes[start:stop].reshape(-1, CONTEXT), codes[start + 1 : stop + 1].reshape(-1, CONTEXT)


train_data, val_data, test_data = cut(0, 6_400), cut(6_400, 11_200), cut(11_200, 20_800)


class CharacterModel(nn.Module):
    def __init__(self, width=40):
        super().__init__()
        self.letters = nn.Embedding(len(ALPHABET), 16)
        self.lstm = nn.LSTM(16, width, batch_first=True)
        self.head = nn.Linear(width, len(ALPHABET))

    def forward(self, codes):
        return self.head(self.lstm(self.letters(codes))[0])


model = CharacterModel
