"""Text that is safe to print and to encode."""

from hypothesis import given
from hypothesis import strategies as st

from nsml.wording import counted, number, plain, printable


@given(st.text(st.characters(codec=None) | st.sampled_from("\udcb0\ud800\x1b\u202e\n\t")))
def test_any_text_is_made_fit_for_utf_8_and_steers_no_terminal(text: str) -> None:
    for shown in (plain(text), printable(text)):
        shown.encode("utf-8")
        assert not set(shown) & set("\x1b\x00\x7f\x9b\u202e\r")
    assert "\n" not in plain(text)


def test_a_name_in_another_encoding_keeps_its_bytes_to_be_seen() -> None:
    assert plain("가.jpg".encode("cp949").decode("utf-8", "surrogateescape")) == "\\udcb0\\udca1.jpg"


def test_one_is_singular() -> None:
    assert [counted(count, "session") for count in (0, 1, 2000)] == ["0 sessions", "1 session", "2,000 sessions"]


def test_floats_have_few_digits_in_lists_too() -> None:
    assert number([1 / 3, 2, [1e-5 / 3]]) == "[0.3333, 2, [3.333e-06]]" and number("0.123456") == "0.123456"
