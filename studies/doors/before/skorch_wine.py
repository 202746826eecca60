"""A classifier of skorch."""

import torch
from sklearn.datasets import load_wine
from sklearn.preprocessing import scale
from skorch import NeuralNetClassifier

X, y = load_wine(return_X_y=True)
X = scale(X).astype("float32")


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(13, 32), torch.nn.ReLU(), torch.nn.Linear(32, 3))

    def forward(self, X):
        return self.layers(X)


net = NeuralNetClassifier(
    Net,
    criterion=torch.nn.CrossEntropyLoss,
    max_epochs=10,
    batch_size=16,
    lr=0.1,
    iterator_train__shuffle=True,
    verbose=0,
)
net.fit(X, y)
print(net.score(X, y))
