import json
import math

from autoopt.cli.plain import clean, prepare_streams, to_json


def test_control_characters_become_their_escapes():
    assert clean("a\x1b[31mred\x07\nβ\r") == r"a\x1b[31mred\x07" + "\nβ" + r"\r"


def test_numbers_that_json_does_not_know_become_null():
    data = json.loads(to_json({"a": [math.nan, 1.5, -math.inf], 2: (True, None)}))
    assert data == {"a": [None, 1.5, None], "2": [True, None]}


def test_json_is_ascii_so_that_every_encoding_can_carry_it():
    assert to_json("Größe").isascii()


def test_what_a_stream_cannot_encode_is_written_as_the_nearest_ascii(monkeypatch, tmp_path):
    with (tmp_path / "out").open("w+", encoding="ascii") as stream:
        monkeypatch.setattr("sys.stdout", stream)
        prepare_streams()
        print("✓ Größe 漢 …\udcff", file=stream)
        stream.seek(0)
        assert stream.read() == "+ Gro?e ? ~?\n"
