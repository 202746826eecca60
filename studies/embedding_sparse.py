"""Ratings of 200 films by 300 people: matrix factorisation with sparse gradients.

15,000 ratings made from hidden tastes of four dimensions, plus noise. The embeddings have ``sparse=True``, which
many optimizers refuse.
"""

import torch
from torch import nn

epochs = 15
batch_size = 128
loss = "mse_loss"
PEOPLE, FILMS, TASTES, RATINGS = 300, 200, 4, 15_000


def train_data():
    draw = torch.Generator().manual_seed(0)
    likes = torch.randn(PEOPLE, TASTES, generator=draw)
    shows = torch.randn(FILMS, TASTES, generator=draw)
    person = torch.randint(0, PEOPLE, (RATINGS,), generator=draw)
    film = torch.randint(0, FILMS, (RATINGS,), generator=draw)
    rating = (likes[person] * shows[film]).sum(1) / 2 + 0.3 * torch.randn(RATINGS, generator=draw)
    return person, film, rating


class Factorisation(nn.Module):
    def __init__(self, width=6):
        super().__init__()
        self.people = nn.Embedding(PEOPLE, width, sparse=True)
        self.films = nn.Embedding(FILMS, width, sparse=True)
        for table in (self.people, self.films):
            nn.init.normal_(table.weight, std=0.3)

    def forward(self, person, film):
        return (self.people(person) * self.films(film)).sum(dim=1)


model = Factorisation
