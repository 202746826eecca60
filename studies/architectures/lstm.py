"""An LSTM written out by hand, after Hochreiter and Schmidhuber, Long Short-Term Memory, 1997.

With the forget gate of Gers, Schmidhuber and Cummins (Learning to Forget, 2000), its bias at one. Data: the
paper's adding problem (experiment 4), shortened: of 30 random numbers two are marked, and their sum is wanted.
"""

import torch
from torch import nn

epochs = 5
batch_size = 50
loss = "mse_loss"
STEPS = 30


class Cell(nn.Module):
    """One step: four gates from the input and the last output."""

    def __init__(self, inputs, width):
        super().__init__()
        self.from_input = nn.Linear(inputs, 4 * width)
        self.from_output = nn.Linear(width, 4 * width, bias=False)
        nn.init.ones_(self.from_input.bias[width : 2 * width].data)

    def forward(self, x, output, memory):
        let_in, keep, let_out, new = (self.from_input(x) + self.from_output(output)).chunk(4, dim=1)
        memory = torch.sigmoid(keep) * memory + torch.sigmoid(let_in) * torch.tanh(new)
        return torch.sigmoid(let_out) * torch.tanh(memory), memory


class Adder(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.width = width
        self.cell = Cell(2, width)
        self.head = nn.Linear(width, 1)

    def forward(self, x):
        output = memory = x.new_zeros(len(x), self.width)
        for step in range(x.shape[1]):
            output, memory = self.cell(x[:, step], output, memory)
        return self.head(output)


model = Adder


def train_data():
    draw = torch.Generator().manual_seed(0)
    numbers = torch.rand(1000, STEPS, generator=draw) * 2 - 1
    first = torch.randint(0, STEPS // 2, (1000,), generator=draw)
    second = torch.randint(STEPS // 2, STEPS, (1000,), generator=draw)
    marks = torch.zeros(1000, STEPS)
    rows = torch.arange(1000)
    marks[rows, first] = marks[rows, second] = 1.0
    return torch.stack([numbers, marks], dim=2), (numbers * marks).sum(dim=1, keepdim=True)
