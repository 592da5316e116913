import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envision_worker.ensono.text import LONG_LIMIT, SHORT_LIMIT, escaped, identifier

SPECIAL = st.text(alphabet=st.sampled_from('\\"\r\n\tnr ab…é😀\x00\x1b\x7f\x85\ud800'), max_size=60)


def unescaped(text: str) -> str:
    """What Ensono makes of it: the same rules that JSON has for these five."""
    return str(json.loads(f'"{text}"'))


def test_the_guides_example_comes_out_as_the_guide_prints_it() -> None:
    sent = json.dumps({"Description": escaped('This is a \r\n"Test"')})
    assert sent == r'{"Description": "This is a \\r\\n\\\"Test\\\""}'


@pytest.mark.parametrize(
    ("plain", "sent"),
    [("\\", r"\\"), ('"', r"\""), ("\r", r"\r"), ("\n", r"\n"), ("\t", r"\t"), (r"C:\new", r"C:\\new"), ("é😀", "é😀")],
)
def test_each_special_character_becomes_two(plain: str, sent: str) -> None:
    assert escaped(plain) == sent


def test_other_control_characters_and_halves_of_surrogate_pairs_go() -> None:
    assert escaped("a\x00b\x1b[1mc\x7fd\x85e\ud800f\udfffg") == "ab[1mcdefg"


@given(SPECIAL)
def test_ensono_reads_what_was_written(text: str) -> None:
    assert unescaped(escaped(text)) == "".join(c for c in text if c not in "\x00\x1b\x7f\x85\ud800")


@given(SPECIAL, st.integers(min_value=3, max_value=40))
def test_a_cut_text_keeps_the_limit_and_splits_no_pair(text: str, limit: int) -> None:
    sent = escaped(text, limit)
    assert len(sent) <= limit
    whole = escaped(text)
    if len(whole) <= limit:
        assert sent == whole
    else:
        assert sent.endswith("…")
        assert unescaped(whole).startswith(unescaped(sent[:-1]))
        assert len(sent) >= limit - 1


@pytest.mark.parametrize("limit", [SHORT_LIMIT, LONG_LIMIT])
def test_the_limit_counts_after_the_escaping(limit: int) -> None:
    fits = "\n" * (limit // 2)
    assert escaped(fits, limit) == r"\n" * (limit // 2)
    assert escaped(fits + "x", limit) == r"\n" * (limit // 2 - 1) + "…"
    assert escaped("x" * limit, limit) == "x" * limit
    assert escaped("x" * (limit + 1), limit) == "x" * (limit - 1) + "…"


def test_a_huge_text_is_cut() -> None:
    assert len(escaped("\\" * 1_000_000)) == LONG_LIMIT - 1


def test_an_identifier_stays_as_it_is() -> None:
    assert identifier("o'neil\\cab@client.com") == "o'neil\\cab@client.com"
    assert identifier("123\r\n\ud8004") == "1234"
