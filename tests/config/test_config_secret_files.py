"""Secrets from files."""

import os
from pathlib import Path

import pytest
from configurations import API_KEY, AUTH_TOKEN, MINIMAL, Faults, Load


def with_key(line: str) -> str:
    return MINIMAL.replace('api_key_file = "ensono-api-key"', line)


def api_key(load_text: Load, text: str = MINIMAL, **environ: str) -> str:
    return load_text(text, **environ).ensono.api_key.get_secret_value()


def test_a_secret_may_stand_in_the_file_itself(load_text: Load) -> None:
    assert api_key(load_text, with_key('api_key = "k"')) == "k"


def test_a_relative_name_is_looked_up_among_the_credentials_first(load_text: Load, tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "ensono-api-key").write_text("from-systemd\n")
    config = load_text(CREDENTIALS_DIRECTORY=str(credentials))
    assert config.ensono.api_key.get_secret_value() == "from-systemd"
    assert config.desk.auth_token is not None
    assert config.desk.auth_token.get_secret_value() == AUTH_TOKEN, "what is no credential lies beside the file"


def test_an_absolute_name_is_taken_as_it_is(load_text: Load, folder: Path, tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    text = with_key(f'api_key_file = "{folder / "ensono-api-key"}"')
    assert api_key(load_text, text, CREDENTIALS_DIRECTORY=str(credentials)) == API_KEY


@pytest.mark.parametrize("ending", ["", "\n", "\r\n", " \r\n"])
def test_blanks_and_newlines_at_the_end_are_no_part_of_the_secret(load_text: Load, folder: Path, ending: str) -> None:
    (folder / "ensono-api-key").write_bytes(f"key{ending}".encode())
    assert api_key(load_text) == "key"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"  \n", "is empty"),
        (b"one\ntwo\n", "one line"),
        (b"key\tkey\n", "one line of printable ASCII"),
        ("schlüssel".encode(), "ASCII"),
        (b"key\0", "ASCII"),
        (b"\xff\xfe", "is no text"),
        (b"x" * 100_000, "more than"),
    ],
)
def test_a_file_that_holds_no_secret_is_a_fault(faults_of: Faults, folder: Path, data: bytes, problem: str) -> None:
    (folder / "ensono-api-key").write_bytes(data)
    faults = faults_of()
    assert faults.keys() == {"ensono.api_key_file"}
    assert problem in faults["ensono.api_key_file"]


def test_a_missing_file_is_told_with_the_folders_looked_in(faults_of: Faults, folder: Path) -> None:
    (folder / "ensono-api-key").unlink()
    problem = faults_of(CREDENTIALS_DIRECTORY="/run/credentials/worker")["ensono.api_key_file"]
    assert f"doesn't exist in /run/credentials/worker or in {folder}" in problem


@pytest.mark.parametrize("name", ["/nowhere/key", "ensono-api-key/key", "a\\u0000b", "", " ", "x" * 300])
def test_a_name_without_a_file_is_a_fault(faults_of: Faults, name: str) -> None:
    assert faults_of(with_key(f'api_key_file = "{name}"')).keys() == {"ensono.api_key_file"}


def test_a_directory_holds_no_secret(faults_of: Faults, folder: Path) -> None:
    (folder / "keys").mkdir()
    assert "no ordinary file" in faults_of(with_key('api_key_file = "keys"'))["ensono.api_key_file"]


def test_a_pipe_that_nobody_writes_to_does_not_hold_up_the_start(faults_of: Faults, folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    assert "no ordinary file" in faults_of(with_key('api_key_file = "pipe"'))["ensono.api_key_file"]


def test_the_name_of_a_file_has_to_be_text(faults_of: Faults) -> None:
    assert "name of a file" in faults_of(with_key("api_key_file = 3"))["ensono.api_key_file"]


def test_a_secret_given_twice_is_a_fault(faults_of: Faults) -> None:
    faults = faults_of(with_key('api_key = "k"\napi_key_file = "ensono-api-key"'))
    assert faults == {"ensono.api_key": "given twice: keep either api_key or api_key_file"}


@pytest.mark.parametrize("value", ['""', '"  "', '"a\\nb"', "3"])
def test_a_secret_in_the_file_itself_is_checked_too(faults_of: Faults, value: str) -> None:
    assert faults_of(with_key(f"api_key = {value}")).keys() == {"ensono.api_key"}


def test_a_wrong_file_of_an_optional_secret_is_one_fault(faults_of: Faults) -> None:
    faults = faults_of(MINIMAL.replace("[desk]", 'proxy_file = "nowhere"\n[desk]'))
    assert faults.keys() == {"ensono.proxy_file"}


def test_only_secrets_can_be_given_by_file(faults_of: Faults) -> None:
    assert "unknown key" in faults_of(with_key('api_key = "k"\nclient_name_file = "x"'))["ensono.client_name_file"]
