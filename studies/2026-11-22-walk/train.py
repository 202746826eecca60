import mixer
import recipe  # what autoopt export mixer -o recipe.py wrote
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

X, y = mixer.train_data()
data = TensorDataset(torch.tensor(X, dtype=torch.float32), torch.tensor(y))
train, test = torch.utils.data.random_split(data, [1438, 359], torch.Generator().manual_seed(5))
torch.manual_seed(0)
model = mixer.model()
loader = DataLoader(train, shuffle=True, batch_size=recipe.batch_size)
optimizer = recipe.make_optimizer(model)
scheduler = recipe.make_scheduler(optimizer, total_steps=recipe.epochs * len(loader))
for _epoch in range(recipe.epochs):
    for inputs, targets in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), targets).backward()
        optimizer.step()
        scheduler.step()
model.eval()
with torch.no_grad():
    right = sum((model(x).argmax(1) == t).sum().item() for x, t in DataLoader(test, 64))
print(f"accuracy {right / len(test):.3f}")
