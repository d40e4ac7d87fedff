"""Where two files differ is told in the words of their form."""

import pytest

from prefsweep.mismatches import MOST_TOLD, mismatches

TABLE = b"point,estimate,verdict\nbase,0.5,reference\ndpo,0.75,better\n"


def test_equal_files_have_no_differences() -> None:
    assert mismatches("comparison.csv", TABLE, TABLE) == []


@pytest.mark.parametrize(
    ("name", "found", "due", "told"),
    [
        (
            "a.csv",
            TABLE.replace(b"0.75", b"0.85"),
            TABLE,
            "row 3 (dpo), column estimate: '0.85', from the records '0.75'",
        ),
        ("a.csv", TABLE.replace(b",estimate", b",estimatf"), TABLE, "column 'estimate' is missing"),
        ("a.csv", TABLE.rpartition(b"dpo")[0], TABLE, "row 3 (dpo) is missing"),
        ("a.csv", TABLE + b"kto,1,worse\n", TABLE, "row 4 (kto) does not belong there"),
        ("a.csv", TABLE.replace(b"dpo", b"kto"), TABLE, "row 3 (dpo), column point: 'kto', from the records 'dpo'"),
        ("a.csv", TABLE.replace(b"better\n", b'"better"\n'), TABLE, "byte 52: "),
        ("a.csv", TABLE.replace(b"dpo", b"d\xffo"), TABLE, "byte 44: b'\\xffo"),
        ("a.json", b'{"a": [1, {"b": 2}]}', b'{"a": [1, {"b": 3}]}', "a.1.b: 2, from the records 3"),
        ("a.json", b'{"a": 1.0}', b'{"a": 1}', "a: 1.0, from the records 1"),
        ("a.json", b'{"a": 1', b'{"a": 1}', "byte 8: b'', from the records b'}'"),
        ("a.jsonl", b'{"a": 1}\n{"a": 1}\n', b'{"a": 1}\n{"a": 2}\n', "line 2, a: 1, from the records 2"),
        ("a.jsonl", b'{"a": 1}\n', b'{"a": 1}\n{"a": 2}\n', "line 2 is missing"),
        ("a.html", b"<p>\n<b>x</b>", b"<p>\n<b>y</b>", "line 2: '<b>x</b>', from the records '<b>y</b>'"),
    ],
)
def test_a_difference_is_told_where_it_is(name: str, found: bytes, due: bytes, told: str) -> None:
    assert any(place.startswith(told) for place in mismatches(name, found, due)), mismatches(name, found, due)


def test_of_many_places_the_rest_is_counted() -> None:
    found, due = (b"x\n" + b"".join(b"%d\n" % (row + more) for row in range(20)) for more in (0, 1))
    places = mismatches("a.csv", found, due)
    assert len(places) == MOST_TOLD + 1
    assert places[-1] == "and 15 more places"
