import pytest

from autoopt.guidance.library import load_rules

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
