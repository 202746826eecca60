"""Task files that cannot be used."""

from __future__ import annotations

from .case import PLAIN, Case

# what is wrong: lines after the plain task, and what the message must say
SPOILT = {
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
        "unexpected keyword argument",
    ),
    # files that cannot be run
    "a file that raises what is no exception": ("class Odd(BaseException): ...\nraise Odd('odd')", "loading task.py: Odd: odd (task.py, line 13)"),
    "an error that cannot say what it is": (
        "class Mute(Exception):\n    def __str__(self): raise ValueError\nraise Mute", "loading task.py: Mute (task.py, line 14)",
    ),
    "an error of a thousand words": ("raise ValueError('word ' * 1000)", "ValueError: word word"),
    "an error that colours the terminal": ("raise ValueError('\\x1b[31mred\\x1b[0m')", "\\x1b[31mred"),
    "an error with Rich's markup in it": ("raise ValueError('[bold]no[/bold] [/]')", "[bold]no[/bold] [/]"),
    "an error in a language of its own": ("raise ValueError('Датасет пуст')", "Датасет пуст"),
    "endless recursion": ("def f(): f()\nf()", "RecursionError"),
    "a relative import outside of a package": ("from . import helper", "attempted relative import"),
    "a model that is None": ("model = None", "model of task.py is None: it must be a class or function"),
    # models
    "a model class whose __init__ forgets super": (
        "class Net(nn.Module):\n    def __init__(self): self.layer = nn.Linear(4, 3)\nmodel = Net",
        "cannot assign module before Module.__init__() call",
    ),
    "a model without forward": ("class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.l = nn.Linear(4, 3)\nmodel = Net", "forward"),
    "a model that returns None": ("class Net(nn.Linear):\n    def forward(self, x): pass\nmodel = lambda: Net(4, 3)", "model's output is a NoneType"),
    "a model that returns text": ("class Net(nn.Linear):\n    def forward(self, x): return 'cat'\nmodel = lambda: Net(4, 3)", "model's output is a str"),
    "a model whose parameters are all frozen": ("model = lambda: nn.Linear(4, 3).requires_grad_(False)", "no trainable parameters"),
    "a model of complex numbers": ("model = lambda: nn.Linear(4, 3, dtype=torch.complex64)", "same dtype, but got Float and ComplexFloat"),
    "a model that returns NaN": ("class Net(nn.Linear):\n    def forward(self, x): return super().forward(x) * float('nan')\nmodel = lambda: Net(4, 3)", "nan"),
    "a model on the meta device": ("model = lambda: nn.Linear(4, 3, device='meta')", "leaves weight on the meta device, without any numbers: make the layers on the CPU"),
    "a model that asks the keyboard": ("def model(): return nn.Linear(4, int(input('classes? ')))", "model(): EOFError"),
    "a list of layers as model": ("model = lambda: [nn.Linear(4, 3)]", "model() returned list"),
    "a model function that needs keyword arguments": ("def model(*, width): ...", "model needs arguments (width)"),
    "a generator as model": ("def model():\n    yield nn.Linear(4, 3)", "model() returned generator"),
    "a state dict as model": ("model = lambda: nn.Linear(4, 3).state_dict()", "model() returned OrderedDict"),
    "the name of a model": ("model = 'resnet18'", "model is of type str"),
    # data
    "rows of no columns": ("train_data = X[:, :0], y", "0"),
    "inputs of zero dimensions": ("train_data = torch.tensor(1.0), torch.tensor(1)", "X of train_data is a single value: give one entry a row"),
    "one label for all rows": ("train_data = X, torch.tensor(1)", "y of train_data is a single value"),
    "a generator as data": ("train_data = (row for row in zip(X, y))", "train_data is of type generator"),
    "an iterator as data": ("train_data = zip(X, y)", "train_data is of type zip"),
    "a set as data": ("train_data = {1, 2}", "train_data is of type set"),
    "three arrays as data": ("train_data = X, X, y", "takes 2 positional arguments but 3 were given"),
    "a path as data": ("train_data = 'train.csv'", "train_data is of type str"),
    "None for the inputs": ("train_data = None, y", "train_data is a tuple of (NoneType, Tensor)"),
    "None for the targets": ("train_data = X, None", "train_data is a tuple of (Tensor, NoneType)"),
    "dates as inputs": ("import numpy\ntrain_data = numpy.array(['2026-01-01'] * 60, dtype='datetime64[D]'), y", "X of train_data holds dates, such as '2026-01-01': turn them into numbers"),
    "objects as inputs": ("import numpy\ntrain_data = numpy.array([[1, None]] * 60, dtype=object), y", "X of train_data holds missing values (None): fill or drop such rows"),
    "text as labels": ("import numpy\ntrain_data = X, numpy.array(['cat', 'dog', 'cow'] * 20)", "y of train_data holds values such as 'cat' (<U3), which are not numbers: encode text as integers"),
    "integers beyond 64 bits": ("train_data = X, [2**70] * 60", "1180591620717411303424, an integer beyond 64 bits"),
    "complex inputs": ("train_data = X.to(torch.complex64), y", "same dtype, but got ComplexFloat and Float"),
    "complex targets": ("train_data = X, X[:, 0].to(torch.complex64)", "the target is complex: give loss(output, target)"),
    "labels as huge integers": ("train_data = X, y + 10**12", "labels"),
    "labels as strings of digits in a list": ("train_data = X, ['0', '1', '2'] * 20", "'0' (<U1), which are not numbers"),
    "inputs in a ragged list of tensors": ("train_data = [torch.randn(3), torch.randn(4)] * 30, y", "X of train_data has rows of different lengths: pad them"),
    "rows of a Dataset that differ in shape": (
        "train_data = [(torch.randn(4 + k % 2), k % 3) for k in range(60)]", "reading the first batch of train_data: RuntimeError: stack expects each tensor to be equal size",
    ),
    "rows of a Dataset that are None": ("train_data = [None] * 60", "found <class 'NoneType'>"),
    "rows of a Dataset that are dicts with text": ("train_data = [{'x': 'a', 'y': 1}] * 60", "unexpected keyword argument 'x'"),
    "a Dataset of negative length": (
        "class Rows(torch.utils.data.Dataset):\n    def __len__(self): return -1\n    def __getitem__(self, row): return X[row], y[row]\ntrain_data = Rows()",
        "len() of train_data: ValueError: __len__() should return >= 0",
    ),
    "a Dataset of endless length": (
        "class Rows(torch.utils.data.Dataset):\n    def __len__(self): return 10**30\n    def __getitem__(self, row): return X[row], y[row]\ntrain_data = Rows()",
        "len() of train_data: OverflowError",
    ),
    "a stream that is empty": (
        "class Rows(torch.utils.data.IterableDataset):\n    def __iter__(self): return iter(())\ntrain_data = Rows()\nval_data = X, y\nsteps_per_epoch = 3",
        "empty",
    ),
    "validation data of other width": ("val_data = X[:, :3], y", "val_data (60, 3) float32"),
    "validation data without rows": ("val_data = X[:0], y[:0]", "val_data is empty"),
    "validation data of another kind": ("val_data = X, X", "the loss of a batch of val_data (60, 4) float32 and (60, 4) float32"),
    "test data without targets": ("test_data = X", "test_data has inputs but no target: give a pair (X, y)"),
    "NaN in the test data": ("test_data = X * float('nan'), y", "X of test_data contains nan"),
    "labels of the whole in one row only": ("train_data = X, torch.eye(60)[:1]", "rows"),
    # CSV and frames, as people read them
    "a CSV file that is missing": ("import numpy\ntrain_data = numpy.loadtxt('train.csv'), y", "train.csv not found"),
    "a CSV file with text in it": (
        "import io, numpy\ntable = numpy.loadtxt(io.StringIO('a,b\\n1,2'), delimiter=',')\ntrain_data = table, y", "could not convert string",
    ),
    "a CSV file with holes": (
        "import io, numpy\ntable = numpy.genfromtxt(io.StringIO('1,2,3,4\\n1,,3,4\\n' * 30), delimiter=',')\ntrain_data = table, y",
        "X of train_data contains nan in row 1",
    ),
    "a CSV file without rows": (
        "import io, pandas\ntable = pandas.read_csv(io.StringIO('a,b,c,d,y\\n'))\ntrain_data = table[['a', 'b', 'c', 'd']], table['y']", "train_data is empty: it needs at least one row",
    ),
    "a frame whose column is missing": (
        "import pandas\ntable = pandas.DataFrame(X.numpy(), columns=list('abcd'))\ntrain_data = table, table['price']", "KeyError: 'price'",
    ),
    "a frame whose column is there twice": (
        "import pandas\ntable = pandas.DataFrame(X.numpy(), columns=list('abca'))\ntrain_data = table, table['a']", "does not fit the target (60, 2) float32",
    ),
    "a frame with a column of text": (
        "import pandas\ntable = pandas.DataFrame({'a': [1.0] * 60, 'city': ['Rome'] * 60})\ntrain_data = table, y", "values such as 'Rome' (object) in column 'city', which are not numbers",
    ),
    "a frame with empty columns": (
        "import pandas\ntable = pandas.DataFrame({'a': [1.0] * 60, 'b': [None] * 60})\ntrain_data = table, y", "missing values (None) in column 'b': fill or drop such rows",
    ),
    "a frame of dates": (
        "import pandas\ntable = pandas.DataFrame({'day': pandas.date_range('2026-01-01', periods=60)})\ntrain_data = table, y", "dates, such as '2026-01-01T00:00:00.000000' in column 'day'",
    ),
    "a frame of booleans that lack some": (
        "import pandas\ntable = pandas.DataFrame({'a': pandas.array([True, None] * 30, dtype='boolean')})\ntrain_data = table, y", "missing values (<NA>) in column 'a'",
    ),
    "a Parquet file that is missing": (
        "import pandas\ntrain_data = pandas.read_parquet('train.parquet'), y",
        "FileNotFoundError",
    ),
    "a file of tensors that is not there": ("train_data = torch.load('data.pt')", "No such file or directory: 'data.pt'"),
    # losses
    "a loss that returns None": ("def loss(output, target): pass", "loss returned NoneType"),
    "a loss that returns text": ("def loss(output, target): return 'low'", "loss returned str"),
    "a loss of one argument": ("def loss(output): return output.sum()", "loss() takes 1 positional argument but 2 were given"),
    "a loss of three arguments": ("def loss(output, target, weight): return output.sum()", "loss() missing 1 required positional argument: 'weight'"),
    "a loss that is NaN": ("def loss(output, target): return output.sum() * float('nan')", "before any training"),
    "a complex loss": ("def loss(output, target): return output.sum().to(torch.complex64)", "complex"),
    "a loss of integers": ("def loss(output, target): return (output.argmax(1) != target).sum()", "the loss does not depend on the model's parameters"),
    "a loss that breaks the graph by numpy": ("def loss(output, target): return output.numpy().mean()", "requires grad"),
    "a loss in place of its function": ("loss = nn.functional.cross_entropy(model()(X), y)", "loss is of type Tensor: give a torch.nn loss"),
    "an accuracy as loss": ("loss = 'accuracy'", "unknown loss of torch.nn.functional 'accuracy'. Known: binary_cross_entropy"),
    "a loss for numbers on classes": ("loss = nn.MSELoss()", "the model's output (60, 3) float32 does not fit the target (60,) int64"),
    "cross-entropy on numbers": ("train_data = X, X[:, 0]\nloss = nn.CrossEntropyLoss()", "for classes the targets must be integers"),
    # metrics
    "a metric that returns text": ("def metric(output, target): return 'good'", "metric returned"),
    "a metric that returns None": ("def metric(output, target): pass", "metric returned"),
    "a metric that returns a list": ("def metric(output, target): return [0.5, 0.6]", "metric returned"),
    "a metric of one argument": ("def metric(output): return 0.5", "metric() takes 1 positional argument but 2 were given"),
    "a metric that is a class of the user's own": ("class metric:\n    def __init__(self, k): ...", "takes 2 positional arguments but 3 were given"),
    # numbers
    "epochs that are a half": ("epochs = 2.5", "epochs is 2.5"),
    "epochs that are negative": ("epochs = -3", "epochs is -3"),
    "epochs that are NaN": ("epochs = float('nan')", "epochs is nan"),
    "epochs that are True": ("epochs = True", "epochs is True"),
    "epochs as text": ("epochs = '20'", "epochs is '20'"),
    "a batch of no rows": ("batch_size = 0", "batch_size is 0"),
    "a list as batch size": ("batch_size = [32, 64]", "batch_size is [32, 64]"),
    "steps_per_epoch below one": ("steps_per_epoch = 0", "steps_per_epoch is 0"),
    "a step that takes nothing": ("def step(): return 0", "step() takes 0 positional arguments but 2 were given"),
    "a step that returns None": ("def step(model, batch): pass", "step returned"),
    "a step that raises": ("def step(model, batch): return model(batch['x'])", "task.py, line 12"),
}  # fmt: skip


WHOLE = {
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


CASES = [
    *(Case(wrong, (says,), files={"task.py": PLAIN + lines}) for wrong, (lines, says) in SPOILT.items()),
    *(
        Case(f"a file with {wrong}", (says,), files={"task.py": text})
        for wrong, (text, says) in WHOLE.items()
    ),
]
