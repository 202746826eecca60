"""Plotly's script, set up in two parts."""

from autoopt.dashboard.bundle import put_off, served, whole


def test_the_script_of_the_installed_plotly_sets_up_only_a_part_of_itself_at_once():
    text = served().decode()
    assert text.count(".others=()=>") == 1
    assert len(text) - len(whole()) < 100  # nothing else is changed


def test_every_kind_is_still_there():
    before = "x;P.register([a(),b(),c()]);y"
    assert put_off(before) == "x;(P.others=()=>P.register([b(),c()]),P.register([a()]));y"


def test_a_script_with_two_such_lists_is_left_as_it_is():
    twice = "P.register([a(),b()]);Q.register([a(),b()])"
    assert put_off(twice) == twice
