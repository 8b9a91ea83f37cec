"""Names, and how a checkpoint's name is written on disk."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsml import NsmlError
from nsml.store.names import SessionName, check_name, closest, encode_checkpoint, parse_session_name

names = st.text(max_size=80) | st.text(alphabet=string.printable, max_size=300)


@given(names)
def test_an_encoded_name_is_one_harmless_path_component(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9_%-]{1,250}", encode_checkpoint(name))


@given(names, names)
def test_two_names_share_a_folder_only_if_they_are_the_same(one: str, other: str) -> None:
    assert (encode_checkpoint(one) == encode_checkpoint(other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"), [("A", "a"), ("1", "01"), ("é", "e\u0301"), ("..", "."), ("a/b", "a\\b"), ("", "%")]
)
def test_names_that_a_disk_might_confuse_have_different_folders(one: str, other: str) -> None:
    assert encode_checkpoint(one).lower() != encode_checkpoint(other).lower()


@given(st.integers(1, 999_999))
def test_a_session_name_is_read_back_as_it_was_written(number: int) -> None:
    name = SessionName("team146", "KHD2019_FUNDUS", number)
    assert parse_session_name(str(name), "somebody") == name


def test_a_session_name_without_a_user_is_ones_own() -> None:
    assert parse_session_name("FUNDUS/3", "me") == SessionName("me", "FUNDUS", 3)


@pytest.mark.parametrize(
    "text", ["", "3", "a/b/0", "a/b/01", "a/b/c", "../b/1", "a/../1", "a/b/1/2", "a/b/-1", "a b/c/1"]
)
def test_what_is_no_session_name_is_refused(text: str) -> None:
    with pytest.raises(NsmlError):
        parse_session_name(text, "me")


def test_a_number_without_a_dataset_is_answered_with_what_to_type() -> None:
    with pytest.raises(NsmlError, match="type DATASET/7"):
        parse_session_name("7", "me")


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "-x", "a/b", "a b", "a\nb", "x" * 65])
def test_what_could_leave_its_folder_is_no_name(name: str) -> None:
    with pytest.raises(NsmlError):
        check_name(name, "NAME")


def test_korean_letters_make_a_name() -> None:
    assert check_name("안저사진", "NAME") == "안저사진"


def test_the_nearest_name_is_proposed_whatever_its_case() -> None:
    assert closest("odir_fundos", ["ODIR_FUNDUS", "MEX_FUNDUS"]) == "ODIR_FUNDUS"
