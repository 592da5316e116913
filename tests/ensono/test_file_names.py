import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envision_worker.ensono.file_names import LONGEST_NAME_BYTES, NAMELESS, safe_name


@pytest.mark.parametrize(
    "name",
    [
        "rocket.jpg",
        "Envision Connect Client Guide v4.2.2.pdf",
        "übersicht.xlsx",
        "報告書.pdf",
        "🚀 launch ❤️.png",
        "README",
    ],
)
def test_ordinary_names_stay_as_they_are(name: str) -> None:
    assert safe_name(name) == name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "_.._etc_passwd"),
        ("..\\..\\windows\\system.ini", "_.._windows_system.ini"),
        ("/etc/passwd", "_etc_passwd"),
        ("C:\\temp\\x.txt", "C__temp_x.txt"),
        (".htaccess", "htaccess"),
        ("a\x00b\x1b\x7f.txt", "ab.txt"),
        ("line\r\nbreak\t.txt", "line break .txt"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("a\u200b\u200d\ufeff\u2066b.txt", "ab.txt"),
        ("a\u2028b\u00a0c.txt", "a b c.txt"),
        ("half\ud800.txt", "half.txt"),
        ("trailing. . ", "trailing"),
        ('what?"<now>|*.txt', "what___now___.txt"),
    ],
)
def test_what_could_do_harm_or_mislead_is_taken_out(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@pytest.mark.parametrize("name", ["", ".", "..", "...", " ", "\x00", "\u200b", ". .", "\n"])
def test_a_name_of_nothing_gets_one(name: str) -> None:
    assert safe_name(name) == NAMELESS


@pytest.mark.parametrize("letter", ["x", "ü", "報", "🚀"])
def test_a_long_name_is_cut_between_characters_and_keeps_its_extension(letter: str) -> None:
    safe = safe_name(letter * 500 + ".docx")
    assert safe.endswith(f"{letter}.docx")
    assert LONGEST_NAME_BYTES - 4 < len(safe.encode()) <= LONGEST_NAME_BYTES


def test_what_is_too_long_for_an_extension_is_cut_like_a_name() -> None:
    assert safe_name("a." + "x" * 500) == "a." + "x" * 118


@given(st.text(max_size=300))
def test_any_text_becomes_a_safe_name_and_a_safe_name_stays(name: str) -> None:
    safe = safe_name(name)
    assert 0 < len(safe.encode()) <= LONGEST_NAME_BYTES
    assert not set(safe) & set("/\\")
    assert not safe.startswith(".")
    assert not {unicodedata.category(char) for char in safe} & {"Cc", "Cf", "Cs"}
    assert safe_name(safe) == safe
