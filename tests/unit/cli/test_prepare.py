import pytest

from autoopt.guidance.load import load_rules
from autoopt.records.margin import Margin
from autoopt.records.store import Store
from autoopt.records.study import StudyRecord

TASK = """
import torch
def model(): return torch.nn.Linear(4, 1)
def train_data(): return torch.randn(40, 4), torch.randn(40, 1) {scale}
epochs = 2
"""


@pytest.fixture
def task(tmp_path):
    """Return a function that writes a small regression task."""

    def write(scale=""):
        (tmp_path / "task.py").write_text(TASK.format(scale=scale))
        return "task.py"

    return write


def test_init_writes_a_task_that_check_finds_well(command):
    assert command("init").status == 0
    outcome = command("check", "task.py")
    assert (outcome.status, outcome.err) == (0, "")
    assert "cross_entropy" in outcome.out
    assert "autoopt tune task.py" in outcome.out


def test_init_never_replaces_a_file_unless_forced(command, tmp_path):
    (tmp_path / "mine.py").write_text("precious")
    outcome = command("init", "mine.py")
    assert outcome.status == 2
    assert "--force" in outcome.err
    assert (tmp_path / "mine.py").read_text() == "precious"
    assert command("init", "mine.py", "--force").status == 0
    assert "def model" in (tmp_path / "mine.py").read_text()


def test_init_where_nothing_can_be_written_ends_with_status_2(command):
    assert command("init", "no/folder/task.py").status == 2


def test_check_speed_says_whether_runs_would_be_trained_in_one_pass(command, task):
    found = command("check", task(), "--speed", "--device", "cpu", "--json").json
    assert found["plan"]["serial_seconds"] > 0
    assert found["why"] == found["plan"]["reason"]


def test_check_as_json_says_what_was_found_and_tried(command, task):
    facts = command("check", task(), "--device", "cpu", "--json").json
    assert (facts["training"], facts["validation"], facts["loss"]) == ("32 rows", "8 rows", "mse_loss")
    assert (facts["epochs"], facts["device"], facts["test"]) == (2, "cpu", "none")
    assert facts["first_batch"]["train_loss"] > 0


def test_check_searches_for_another_metric_when_asked(command, task):
    facts = command("check", task(), "--metric", "mae", "--json").json
    assert (facts["objective"], facts["direction"]) == ("mae", "minimize")


def test_check_of_data_that_training_cannot_stand_ends_with_status_2(command, task):
    outcome = command("check", task("* float('inf')"))
    assert outcome.status == 2
    assert outcome.err.startswith("Error: ")


def test_check_of_a_missing_file_ends_with_status_2(command):
    assert command("check", "none.py").status == 2


def test_suggest_gives_recipes_with_their_sources(command, task):
    outcome = command("suggest", task())
    assert outcome.status == 0
    assert "to compare with" in outcome.out
    assert any(f"({rule.source})" in outcome.out for rule in load_rules())


def test_suggest_as_json_can_be_narrowed(command, task):
    advice = command("suggest", task(), "--optimizers", "sgd", "--json").json["advice"]
    assert {each["recipe"]["optimizer"] for each in advice if not each["baseline"]} == {"sgd"}


LIONS = """
import torch
class Lion(torch.optim.SGD):
    'A cat.'
"""


def test_check_trains_a_batch_with_an_optimizer_of_ones_own(command, task, tmp_path):
    (tmp_path / "lions.py").write_text(LIONS)
    mine = "lions.py:Lion name=cat lr=0.01"
    assert "after a batch with cat · lr 0.01" in " ".join(
        command("check", task(), "--optimizer-from", mine).out.split()
    )
    assert set(command("check", task(), "--optimizer-from", mine, "--json").json["optimizers_from"]) == {
        "cat"
    }


def test_suggest_names_an_optimizer_of_ones_own_and_says_that_nothing_is_known(command, task, tmp_path):
    (tmp_path / "lions.py").write_text(LIONS)
    advice = command("suggest", task(), "--optimizer-from", "lions.py:Lion name=cat", "--json").json["advice"]
    (mine,) = [each for each in advice if each["recipe"]["optimizer"] == "cat"]
    assert mine["recipe"]["own"]["target"] == "lions:Lion"
    assert mine["why"][0]["source"] == "lions:Lion"
    assert "nothing published" in mine["cautions"][-1]


def test_an_optimizer_of_ones_own_that_is_not_there_is_told_in_one_line(command, task):
    outcome = command("check", task(), "--optimizer-from", "lions.py:Lion")
    assert outcome.status == 2
    assert outcome.err == "Error: lions.py:Lion: no such file: 'lions.py'\n"


def test_suggest_tells_what_was_measured_of_the_gradients(command, task):
    outcome = command("suggest", task(), "--json").json
    assert outcome["profile"]["family"] == "mlp"
    assert outcome["gradients"]["batches"] == 16
    assert outcome["probe"] == []


def test_suggest_with_a_probe_shows_rates_beside_each_other(command, task):
    outcome = command("suggest", task(), "--optimizers", "sgd", "--probe", "--device", "cpu")
    assert outcome.status == 0
    heading = next(line for line in outcome.out.splitlines() if line.startswith("optimizer"))
    assert heading.split() == [
        "optimizer",
        "written",
        "above",
        "reference",
        "probe",
        "breaks",
        "at",
        "suggested",
    ]
    assert "halve its rate for a long one" in outcome.out
    assert "testing rates of sgd" in outcome.err


def test_suggest_with_a_probe_as_json_has_the_curves(command, task):
    outcome = command("suggest", task(), "--optimizers", "sgd,adam", "--probe", "--json")
    assert [each["optimizer"] for each in outcome.json["probe"]] == [
        each["recipe"]["optimizer"] for each in outcome.json["advice"] if not each["baseline"]
    ]
    for each in outcome.json["probe"]:
        assert len(each["rates"]) == len(each["losses"]) > 30
        assert each["suggested"] > 0


def test_a_probe_is_kept_with_a_study(command, task, tmp_path):
    with Store.open(tmp_path / "autoopt.db") as store:
        store.create_study(StudyRecord("mine", "task", "task.py", "f", "loss", "minimize", 2))
        assert command("suggest", task(), "--optimizers", "sgd", "--probe", "--keep", "mine").status == 0
        ((recipe, test),) = Margin(store).range_tests("mine")
    assert recipe["optimizer"] == "sgd"
    assert len(test["rates"]) == len(test["losses"]) > 0


@pytest.mark.parametrize(
    ("options", "says"), [(["--keep", "mine"], "add --probe"), (["--probe", "--keep", "nine"], "nine")]
)
def test_a_probe_that_cannot_be_kept_is_not_begun(command, task, tmp_path, options, says):
    Store.open(tmp_path / "autoopt.db").close()
    outcome = command("suggest", task(), *options)
    assert outcome.status == 2
    assert says in outcome.err
    assert "testing rates" not in outcome.err


def test_a_probe_takes_an_optimizer_of_ones_own_too(command, task, tmp_path):
    (tmp_path / "lions.py").write_text(LIONS)
    mine = ("--optimizer-from", "lions.py:Lion name=cat lr=0.01", "--optimizers", "sgd")
    probed = command("suggest", task(), *mine, "--probe", "--json").json["probe"]
    assert [(each["optimizer"], each["reference"]) for each in probed][-1] == ("cat", 0.01)


@pytest.mark.parametrize("width", [40, 80, 120])
def test_suggest_never_writes_beyond_the_terminal_and_never_breaks_a_setting(
    command, task, width, monkeypatch
):
    monkeypatch.setenv("COLUMNS", str(width))
    lines = command("suggest", task()).out.splitlines()
    assert max(map(len, lines)) <= width
    assert any(line.rstrip().endswith("cosine (warmup 0)") for line in lines)


def test_check_of_several_tasks_looks_at_each(command, task, tmp_path):
    (tmp_path / "other.py").write_text((tmp_path / task()).read_text())
    found = command("check", "task.py", "other.py", "--device", "cpu", "--json").json
    assert [each["task"] for each in found] == ["task", "other"]
    assert "autoopt tune other.py" in command("check", "task.py", "other.py").out


def test_check_shows_how_fast_runs_would_be_and_their_memory(command, task):
    outcome = command("check", "--speed", task(), "--device", "cpu")
    assert (outcome.status, outcome.err) == (0, "")
    assert "one by one" in outcome.out or "in one pass" in outcome.out  # whichever proves to be faster
    assert "held as tensors" in outcome.out
    assert "leaves" in outcome.out


def test_speed_as_json_has_seconds_and_bytes(command, task):
    found = command("check", "--speed", task(), "--accumulate", "2", "--precision", "bf16", "--json").json
    assert (found["accumulate"], found["precision"], found["fits"]) == (2, "bf16", True)
    assert found["weights"] == found["gradients"] == 4 * 5
    assert 0 < found["seconds_step"] < found["seconds_epoch"]


def test_speed_of_a_task_for_which_there_is_no_memory_gives_advice(command, task, tmp_path):
    (tmp_path / task()).write_text(
        (tmp_path / "task.py").read_text().replace("torch.nn.Linear(4, 1)", "Greedy()")
        + "class Greedy(torch.nn.Linear):\n"
        "    tried = 0\n"
        "    def __init__(self): super().__init__(4, 1)\n"
        "    def forward(self, x):\n"
        "        Greedy.tried += torch.is_grad_enabled()\n"
        "        if Greedy.tried > 3: raise torch.OutOfMemoryError('out of memory')\n"
        "        return super().forward(x)\n"
    )
    outcome = command("check", "--speed", "task.py", "--device", "cpu")
    assert outcome.status == 0
    assert "--batch-size 16 --accumulate 4" in outcome.out
    assert "too little" in outcome.out


def test_an_unknown_precision_ends_with_status_2_and_the_known_ones(command, task):
    outcome = command("check", task(), "--precision", "half")
    assert outcome.status == 2
    assert "bf16, float32, fp16" in outcome.err
