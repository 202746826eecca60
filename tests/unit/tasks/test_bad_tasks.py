"""Everything that can be wrong in a task file: one clear message each."""

from __future__ import annotations

import pytest

from autoopt.errors import TaskError
from autoopt.tasks.load import load_task

# what is wrong: lines after the plain task, and what the message must say
BAD = {
    "an error in the file": ("\nraise ValueError('no such column')", "ValueError: no such column (task.py, line 13)"),
    "an exit in the file": ("import sys; sys.exit('usage')", "SystemExit: usage (task.py, line 12)"),
    "an import that fails": ("import no_such_module_here", "No module named 'no_such_module_here'"),
    "a model that is no factory": ("model = 3", "model is of type int"),
    "a model that returns no module": ("model = lambda: 3", "model() returned int"),
    "a model that needs arguments": ("def model(width, depth=2): ...", "model needs arguments (width)"),
    "a model that raises": ("def model():\n    return 1 / 0", "ZeroDivisionError: division by zero (task.py, line 13)"),
    "a model without parameters": ("model = nn.ReLU", "no trainable parameters"),
    "a model of another shape each time": (
        "import itertools\nwidths = itertools.count(3)\nmodel = lambda: nn.Linear(4, next(widths))",
        "other parameters each time",
    ),
    "models that share a layer": (
        "layer = nn.Linear(4, 3)\nmodel = lambda: nn.Sequential(layer)",
        "the same layers into every model",
    ),
    "a model for other inputs": ("model = lambda: nn.Linear(5, 3)", "mat1 and mat2 shapes cannot be multiplied"),
    "a model with the wrong output": ("train_data = X, torch.rand(60, 2)", "does not fit the target (60, 2) float32"),
    "class numbers as floats": ("train_data = X, y.float()", "for classes the targets must be integers"),
    "a model whose output is a tuple": ("model = lambda: nn.LSTM(4, 3)", "model's output is a tuple"),
    "too few classes for the labels": ("train_data = X, y + 1", "go from 1 to 3, but the model's output has 3 classes"),
    "a negative label": ("train_data = X, y - 1", "go from -1 to 1"),
    "a wrong label in the validation data": ("val_data = X, y + 5", "labels of val_data go from 5 to 7"),
    "a wrong label for the user's own loss": (
        "y[50] = 3\nloss = lambda output, target: nn.functional.cross_entropy(output, target)",
        "Target 3 is out of bounds",
    ),
    "no data": ("train_data = X[:0], y[:0]", "train_data is empty"),
    "an empty list": ("train_data = []", "train_data is empty"),
    "one row": ("train_data = X[:1], y[:1]", "nothing can be held out"),
    "inputs without targets": ("train_data = X", "no target: give a pair (X, y)"),
    "unequal lengths": ("train_data = X, y[:50]", "X 60, y 50 rows"),
    "text as inputs": ("import numpy\ntrain_data = numpy.array([['a', 'b']] * 60), y", "which are not numbers"),
    "rows of unequal length": ("train_data = [[1.0], [1.0, 2.0]], [0, 1]; train_data = tuple(train_data)", "rows of different lengths"),
    "a sparse tensor": ("train_data = X.to_sparse(), y", ".to_dense()"),
    "a sparse matrix": ("import scipy.sparse\ntrain_data = scipy.sparse.csr_matrix(X.numpy()), y", ".toarray()"),
    "data of an unknown form": ("train_data = 3", "train_data is of type int"),
    "a data function that raises": ("def train_data():\n    raise OSError('no file')", "OSError: no file (task.py, line 13)"),
    "a data function that returns nothing": ("def val_data():\n    pass", "val_data is None"),
    "a data function that returns both parts": (
        "from torch.utils.data import TensorDataset as T\ndef train_data(): return T(X, y), T(X, y)",
        "a tuple of (TensorDataset, TensorDataset)",
    ),
    "missing values": ("X[17, 2] = float('nan')", "X of train_data contains nan in row 17: fill or drop"),
    "infinite values": ("val_data = X + float('inf'), y", "X of val_data contains inf"),
    "missing targets": ("train_data = X, X[:, 0] / 0", "y of train_data contains"),
    "missing values in a Dataset": (
        "X[3] = float('nan')\ntrain_data = [(x, int(c)) for x, c in zip(X, y)]",
        "the first batch of train_data contains nan",
    ),
    "a dataset without a length": (
        "class Rows(torch.utils.data.Dataset):\n    def __getitem__(self, row): return X[row], y[row]\ntrain_data = Rows()",
        "Rows has no __len__",
    ),
    "a stream without steps_per_epoch": (
        "class Rows(torch.utils.data.IterableDataset):\n    def __iter__(self): return iter(zip(X, y))\n"
        "train_data = Rows()\nval_data = X, y",
        "give steps_per_epoch",
    ),
    "a stream without validation data": (
        "class Rows(torch.utils.data.IterableDataset):\n    def __iter__(self): return iter(zip(X, y))\n"
        "train_data = Rows()\nsteps_per_epoch = 4",
        "val_data is missing",
    ),
    "a dataset that raises": (
        "class Rows(torch.utils.data.Dataset):\n    def __len__(self): return 60\n"
        "    def __getitem__(self, row): raise KeyError('id')\ntrain_data = Rows()",
        "KeyError: 'id' (task.py, line 14)",
    ),
    "a Dataset in double precision": (
        "from torch.utils.data import TensorDataset\ntrain_data = TensorDataset(X.double(), y)",
        "the model computes in float32",
    ),
    "a loss that is not a scalar": ("loss = nn.CrossEntropyLoss(reduction='none')", "CrossEntropyLoss returned a tensor of shape (48,)"),
    "a loss that is a number": (
        "loss = lambda output, target: nn.functional.cross_entropy(output, target).item()",
        "loss returned float",
    ),
    "a loss without a graph": (
        "def loss(output, target): return nn.functional.cross_entropy(output.detach(), target)",
        "does not depend on the model's parameters",
    ),
    "a loss by a wrong name": ("loss = 'cross_entrpy'", "did you mean 'cross_entropy'?"),
    "a loss that is none": ("loss = 3", "loss is of type int"),
    "a loss class that needs arguments": (
        "class Loss(nn.Module):\n    def __init__(self, weight): ...\nloss = Loss",
        "loss(): TypeError: ",
    ),
    "a loss that raises": ("def loss(output, target):\n    return output.no_such", "(task.py, line 13)"),
    "a loss that is not finite": (
        "def loss(output, target): return output.sum() / 0 * 0",
        "before any training",
    ),
    "a step that is no function": ("step = 3", "step is of type int"),
    "a step that returns too much": ("def step(model, batch): return 1, 2", "step returned a tuple of 2"),
    "a metric by a wrong name": ("metric = 'acuracy'", "did you mean 'accuracy'?"),
    "a metric that is none": ("metric = 3", "metric is of type int"),
    "a metric that raises": ("def metric(output, target):\n    return output / 'a'", "(task.py, line 13)"),
    "a metric that is no number": ("metric = lambda output, target: output", "metric returned shape (12, 3)"),
    "a metric that makes no sense": ("metric = 'mse'", "the targets are classes"),
    "a metric of classes for numbers": ("train_data = X, X[:, :3] * 3\nmetric = 'accuracy'", "the targets are numbers"),
    "a metric without outputs": (
        "def step(model, batch): return nn.functional.cross_entropy(model(batch[0]), batch[1])\nmetric = 'accuracy'",
        "let step return (loss, output, target)",
    ),
    "a direction that is none": ("def metric(o, t): return 1.0\nmetric_direction = 'up'", "metric_direction is 'up'"),
    "epochs below one": ("epochs = 0", "epochs is 0"),
    "a batch size that is no number": ("batch_size = '64'", "batch_size is '64'"),
    "a name that is no text": ("name = 3", "name is 3"),
    "batch norm with one row": (
        "batch_size = 1\nmodel = lambda: nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))",
        "batch norm needs at least two rows",
    ),
    "dicts without a target": (
        "class Net(nn.Linear):\n    def forward(self, x): return super().forward(x)\n"
        "model = lambda: Net(4, 3)\ntrain_data = [{'x': x, 'id': 1} for x in X]",
        "unexpected keyword argument 'id'",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("lines", "message"), BAD.values(), ids=[name.replace(" ", "-") for name in BAD])
def test_it_is_refused_with_one_clear_message(write_task, lines, message):
    with pytest.raises(TaskError) as caught:
        load_task(write_task(lines))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


MISSING = {
    "no model": ("train_data = 1", "task.py has no 'model'"),
    "no data": ("model = 1", "task.py has no 'train_data'"),
    "a model by another name": (
        "from torch import nn\nclass Net(nn.Module): ...\ntrain_data = 1",
        "model = Net",
    ),
    "a module by another name": (
        "from torch import nn\nnet = nn.Linear(2, 2)\ntrain_data = 1",
        "found the module net",
    ),
    "data by another name": (
        "model = 1\ntraining_data = 1",
        "did you mean 'training_data'? Call it 'train_data'",
    ),
    "a syntax error": ("x = 1\nmodel = = 2", "SyntaxError: invalid syntax (task.py, line 2)"),
    "nothing": ("", "task.py has no 'model'"),
}


@pytest.mark.parametrize(
    ("text", "message"), MISSING.values(), ids=[name.replace(" ", "-") for name in MISSING]
)
def test_a_file_without_what_is_required_is_refused(write_task, text, message):
    with pytest.raises(TaskError) as caught:
        load_task(write_task(text=text))
    assert message in str(caught.value)


def test_a_missing_file_is_named_with_the_nearest_one(write_task):
    path = write_task(name="digits.py")
    with pytest.raises(TaskError, match=r"no such file: .*digit\.py.*did you mean .*digits\.py"):
        load_task(path.with_name("digit.py"))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("no_such_module_here.at_all", "no such file or module"),
        (".", "is a folder"),
        ("no/such/folder/task.py", "no such file"),
        ("pyproject.toml", "not a Python file"),
        ("folder.py", r"'folder\.py' is a folder"),
    ],
)
def test_a_source_that_is_no_file_or_module_is_refused(tmp_path, monkeypatch, source, message):
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "folder.py").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TaskError, match=message):
        load_task(source)


def test_an_error_in_a_neighbour_names_the_neighbour(write_task):
    path = write_task("import broken", broken="x = 1\ny = x.no_such\n")
    with pytest.raises(TaskError, match=r"AttributeError: .*\(broken\.py, line 2\)"):
        load_task(path)


def test_nothing_is_left_behind_by_a_file_that_fails(write_task, tmp_path):
    import os
    import sys

    before = os.getcwd(), list(sys.path), set(sys.modules), list(sys.meta_path)
    with pytest.raises(TaskError):
        load_task(write_task("import helper_of_mine\nraise ValueError", helper_of_mine=""))
    after = os.getcwd(), list(sys.path), set(sys.modules), list(sys.meta_path)
    assert before == after
