"""How often do two words stand near each other? Matrix factorisation with sparse gradients on Python's help texts.

The logarithm of the number of times that two of the 100 commonest words come within five words of each other, as
in GloVe (Pennington, Socher and Manning, EMNLP 2014). The texts behind ``help("for")`` come with every Python; their
wording differs a little between versions. Words are as unevenly frequent as words are.
"""

import re
from collections import Counter
from itertools import islice
from pydoc_data.topics import topics

import torch
from torch import nn

epochs = 9
batch_size = 250
loss = "mse_loss"
WORDS, WINDOW = 100, 5

words = re.findall(r"[a-z]+", " ".join(topics[name] for name in sorted(topics)).lower())
common = {word: number for number, (word, _) in enumerate(Counter(words).most_common(WORDS))}
numbers = [common.get(word, -1) for word in words]
pairs = Counter()
for distance in range(1, WINDOW + 1):
    pairs.update(
        pair for pair in zip(numbers, islice(numbers, distance, None), strict=False) if min(pair) >= 0
    )
cells = sorted(pairs.items())
order = torch.randperm(len(cells), generator=torch.Generator().manual_seed(0))[:8000]
first, second = (torch.tensor([pair[side] for pair, _ in cells])[order] for side in (0, 1))
counts = torch.tensor([float(count) for _, count in cells]).log()[order]
counts -= counts.mean()
rows = first, second, counts
train_data, val_data, test_data = (
    tuple(part[a:b] for part in rows) for a, b in ((0, 5000), (5000, 6500), (6500, 8000))
)


class WordFactors(nn.Module):
    """A vector for each word, one where it stands first and one where it stands second."""

    def __init__(self, width=6):
        super().__init__()
        self.left, self.right = (nn.Embedding(WORDS, width, sparse=True) for _ in range(2))
        for table in (self.left, self.right):
            nn.init.normal_(table.weight, std=0.5)

    def forward(self, first, second):
        return (self.left(first) * self.right(second)).sum(dim=1)


model = WordFactors
