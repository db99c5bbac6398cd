"""`partheland user` and `partheland token`: through the running centre or on the files, and the very first account."""

import json
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from deploy import cli
from deploy.credentials import admin_password, load_or_create, make_admin_password
from deploy.output import BadInput
from tests.deploy.running import Up, partheland

GOOD = "gutes-passwort"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command, in this process."""
    code = cli.main([str(argument) for argument in arguments])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_accounts_of_a_stopped_platform_are_made_and_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, data = tmp_path / "password.txt", ("--data", tmp_path)
    file.write_text(f"{GOOD}\nnot this line\n")
    assert run(capsys, "user", "list", *data)[1].startswith("there are no accounts")
    made = run(capsys, "user", "add", "Anna", "--role", "yard", "--town", "naunhof", "--password-file", file, *data)
    assert made == (0, "anna: yard of naunhof\n", "")
    code, out, err = run(capsys, "user", "add", "bert", "--role", "admin", *data)
    password = out.splitlines()[1].removeprefix("password: ")
    assert (code, out.splitlines()[0], len(password)) == (0, "bert: admin of all towns", 20)
    assert "shown this once" in err
    told = json.loads(run(capsys, "user", "password", "anna", "--json", *data)[1])
    assert (told["name"], len(told["password"])) == ("anna", 20)
    assert run(capsys, "user", "rights", "anna", "--role", "dispatcher", *data)[1] == "anna: dispatcher of all towns\n"
    assert "disabled" in run(capsys, "user", "disable", "anna", *data)[1]
    assert "disabled" not in run(capsys, "user", "enable", "anna", *data)[1]
    listed = json.loads(run(capsys, "user", "list", "--json", *data)[1])["items"]
    assert [(one["name"], one["role"]) for one in listed] == [("anna", "dispatcher"), ("bert", "admin")]
    assert GOOD.encode() not in (tmp_path / "platform.db").read_bytes()


def test_tokens_of_a_stopped_platform_are_made_and_revoked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = ("--data", tmp_path)
    code, token, err = run(capsys, "token", "create", "--role", "yard", "--town", "brandis", "--label", "x", *data)
    assert (code, len(token.strip())) == (0, 43)
    assert err == "token 1 (x): yard of brandis; the token is shown this once\n"
    assert token.strip().encode() not in (tmp_path / "platform.db").read_bytes()
    assert "revoked" in run(capsys, "token", "revoke", 1, *data)[1]
    assert json.loads(run(capsys, "token", "list", "--json", *data)[1])["items"][0]["token"] is None


def test_bad_input_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "latin").write_bytes(b"\xff\n")
    (tmp_path / "short").write_text("kurz\n")
    add = ("user", "add", "anna", "--role", "yard")
    cases: list[tuple[tuple[object, ...], str]] = [
        (("user", "add"), "needs a NAME"),
        (("user", "list", "anna"), "needs a NAME"),
        (("user", "add", "anna"), "need --role"),
        (("user", "disable", "anna", "--role", "yard"), "need --role"),
        (("user", "add", "anna", "--role", "king"), "invalid choice: 'king'"),
        ((*add, "--town", "leipzig"), "invalid choice: 'leipzig'"),
        ((*add, "--password-file", tmp_path / "none"), "No such file"),
        ((*add, "--password-file", tmp_path / "latin"), "is not UTF-8"),
        ((*add, "--password-file", tmp_path / "short"), "the password has 4 characters; expected 10 to 200"),
        (("user", "add", "a b", "--role", "yard"), "expected 1 to 64 letters"),
        (("user", "disable", "nobody"), "there is no account 'nobody'"),
        (("token", "create"), "needs --role"),
        (("token", "revoke"), "needs the NUMBER"),
        (("token", "revoke", 7), "there is no token 7"),
        (("token", "create", "--role", "yard", "--days", 0), "days is 0; expected 1"),
    ]
    for arguments, sentence in cases:
        code, out, err = run(capsys, *arguments, "--data", tmp_path)
        assert (code, out, err.count("\n")) == (1, "", 1), (arguments, err)
        assert sentence in err


def test_the_first_password_is_made_once_beside_the_brokers(tmp_path: Path) -> None:
    known = load_or_create(tmp_path)
    assert admin_password(tmp_path) is None
    password = make_admin_password(tmp_path)
    assert (make_admin_password(tmp_path), admin_password(tmp_path)) == (password, password)
    assert load_or_create(tmp_path) == known
    path = tmp_path / "secrets.toml"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["secrets.toml"]
    assert tomllib.loads(path.read_text())["admin"]["password"] == password
    path.write_text("[admin")
    with pytest.raises(BadInput, match="is not as we wrote it"):
        admin_password(tmp_path)


def session(up: Up, name: str, password: str) -> int:
    """The status of a sign-in."""
    body = json.dumps({"name": name, "password": password}).encode()
    request = urllib.request.Request(up.addresses["http"] + "/api/v1/session", body)
    try:
        with urllib.request.urlopen(request, timeout=20.0) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_the_first_start_makes_an_admin_who_lets_the_others_in(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Up(data, closed=True) as up:
        password = admin_password(data)
        assert password is not None
        assert session(up, "admin", password) == 200
        assert session(up, "admin", "falsches-passwort") == 401
        added = partheland("user", "add", "anna", "--role", "yard", "--json", "--data", data)
        assert added.returncode == 0, added.stderr
        told = json.loads(added.stdout)
        assert session(up, "anna", told["password"]) == 200
        again = partheland("user", "add", "anna", "--role", "yard", "--data", data)
        assert (again.returncode, "There is an account 'anna' already" in again.stderr) == (1, True)
        made = partheland("token", "create", "--role", "admin", "--data", data)
        token = made.stdout.strip()
        request = urllib.request.Request(
            up.addresses["http"] + "/api/v1/tokens", headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(request, timeout=20.0) as answer:
            assert [one["id"] for one in json.load(answer)["items"]] == [1]
        changed = partheland("user", "password", "admin", "--data", data)
        assert changed.returncode == 0, changed.stderr
        assert session(up, "admin", password) == 401
        said = [line for line in up.said() if "first account" in line]
        assert said == [f"the first account is 'admin'; its password is in {data / 'secrets.toml'}"]
        secrets = (password, told["password"], token, changed.stdout.splitlines()[1].removeprefix("password: "))
        assert up.stop() == 0
    with Up(data, closed=True) as up:
        assert len([line for line in up.said() if "first account" in line]) == 1
        assert session(up, "anna", told["password"]) == 200
        assert up.stop() == 0
    for log in (data / "logs").iterdir():
        assert not any(secret in log.read_text() for secret in secrets), log
