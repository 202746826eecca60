from autoopt.catalogue import OPTIMIZERS, SCHEDULES


def test_every_optimizer_is_listed_with_its_settings(command):
    out = command("optimizers").out
    for entry in (each for each in OPTIMIZERS.values() if each.around is None):
        assert entry.name in out
        assert all(hyperparameter.name in out for hyperparameter in entry.hyperparameters)


def test_every_schedule_is_listed_with_what_it_does(command):
    out = command("schedules").out
    for entry in SCHEDULES.values():
        assert entry.name in out
        assert entry.says.split()[1] in out


def test_a_rate_that_is_searched_in_another_unit_says_so(command):
    assert "lr/(1-momentum)" in command("optimizers").out


def test_the_catalogue_as_json_holds_every_hyperparameter(command):
    optimizers = {entry["name"]: entry for entry in command("optimizers", "--json").json}
    schedules = {entry["name"]: entry for entry in command("schedules", "--json").json}
    assert list(optimizers) == list(OPTIMIZERS)
    assert list(schedules) == list(SCHEDULES)
    assert optimizers["adamw"]["hyperparameters"][0]["name"] == "lr"
