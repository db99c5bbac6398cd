"""Accounts, sessions and tokens: what is kept, what ends them, and what the audit tells."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from api.accounts import Accounts
from api.accounts_rows import AccountError, NoAccountError, SignInError
from api.limits import NAME_FREE, TooManyError
from api.passwords import WAITING_MAX, Passwords, generate
from core.clock import ManualClock
from core.relational import Relational
from rules.audit import broken_at
from rules.tables import audit_table
from tests.support.frames import CHEAP, T0
from tests.support.platform import until

HOUR_S = 3600.0
GOOD = "gutes-passwort"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(T0)


@pytest.fixture
def accounts(tmp_path: Path, clock: ManualClock) -> Iterator[Accounts]:
    with Relational(tmp_path / "platform.db") as database:
        made = Accounts(database, clock, Passwords(CHEAP))
        made.add("anna", GOOD, "yard", "naunhof", "test")
        yield made
        with database.read() as connection:
            assert broken_at(connection) is None


def audited(accounts: Accounts) -> list[tuple[str, str, str, str]]:
    own = audit_table.c
    with accounts.database.read() as connection:
        rows = connection.execute(select(own.by, own.action, own.object, own.detail).order_by(own.id))
        return [(row[0], row[1], row[2], row[3]) for row in rows]


def test_a_session_is_whose_it_is_until_they_sign_out(accounts: Accounts) -> None:
    token = accounts.sign_in("anna", GOOD, "10.0.0.1")
    found = accounts.who_of_session(token)
    assert found is not None
    assert (found.name, found.role, found.town) == ("anna", "yard", "naunhof")
    accounts.sign_out(token)
    assert accounts.who_of_session(token) is None
    assert accounts.remembered_as(token, type(found)) is None
    assert audited(accounts) == [
        ("test", "account created", "account anna", "yard of naunhof"),
        ("anna", "signed in", "account anna", "from 10.0.0.1"),
        ("anna", "signed out", "account anna", ""),
    ]


def test_no_secret_is_in_the_database(accounts: Accounts, tmp_path: Path) -> None:
    session = accounts.sign_in("anna", GOOD, "10.0.0.1")
    token, _ = accounts.create_token("x", "admin", None, None, "test")
    kept = (tmp_path / "platform.db").read_bytes()
    assert not any(secret.encode() in kept for secret in (session, token, GOOD))
    assert b"$argon2id$" in kept


def test_a_name_is_known_in_every_spelling_that_a_phone_makes_of_it(accounts: Accounts) -> None:
    assert accounts.who_of_session(accounts.sign_in(" Anna ", GOOD, "10.0.0.1")) is not None
    with pytest.raises(AccountError, match="there is an account 'anna' already"):
        accounts.add("ANNA", GOOD, "yard", None, "test")


@pytest.mark.parametrize(
    ("name", "password"),
    [("anna", "falsches-passwort"), ("anna", ""), ("bert", GOOD), ("", ""), ("anna", "x" * 100_000)],
)
def test_a_wrong_name_and_a_wrong_password_are_the_same_to_the_asker(
    accounts: Accounts, name: str, password: str
) -> None:
    with pytest.raises(SignInError, match="name or password is wrong, or the account is disabled"):
        accounts.sign_in(name, password, "10.0.0.1")
    by, action, what, detail = audited(accounts)[-1]
    assert (action, detail) == ("sign-in refused", "from 10.0.0.1")
    assert (by, what) == (("anna", "account anna") if name == "anna" else ("unknown", "account unknown"))


def test_a_password_in_the_wrong_field_is_not_written_down(accounts: Accounts, tmp_path: Path) -> None:
    with pytest.raises(SignInError):
        accounts.sign_in("mein-geheimes-passwort", "anna", "10.0.0.1")
    assert b"mein-geheimes" not in (tmp_path / "platform.db").read_bytes()


class Counting(Passwords):
    """Counts the comparisons: unknown names must cost as much as known ones."""

    compared = 0

    def _compare(self, kept: str, password: str) -> bool:
        self.compared += 1
        return super()._compare(kept, password)


def test_an_unknown_name_costs_as_much_as_a_known_one(accounts: Accounts) -> None:
    accounts.passwords = counting = Counting(CHEAP)
    for number, name in enumerate(("anna", "nobody", "x" * 10_000), 1):
        with pytest.raises(SignInError):
            accounts.sign_in(name, "falsches-passwort", f"10.0.0.{number}")
        assert counting.compared == number


def test_who_fails_often_waits_before_the_password_is_looked_at(accounts: Accounts, clock: ManualClock) -> None:
    for _ in range(NAME_FREE):
        with pytest.raises(SignInError):
            accounts.sign_in("anna", "falsches-passwort", "10.0.0.1")
    rows = len(audited(accounts))
    with pytest.raises(TooManyError):
        accounts.sign_in("anna", GOOD, "10.0.0.1")
    assert len(audited(accounts)) == rows
    clock.advance(60)
    accounts.sign_in("anna", GOOD, "10.0.0.1")


def test_a_session_ends_twelve_hours_after_its_last_use(accounts: Accounts, clock: ManualClock) -> None:
    token = accounts.sign_in("anna", GOOD, "10.0.0.1")
    for _ in range(5):
        clock.advance(11 * HOUR_S)
        assert accounts.who_of_session(token) is not None
    clock.advance(12 * HOUR_S)
    assert accounts.who_of_session(token) is None


def test_a_session_ends_after_thirty_days_however_it_is_used(accounts: Accounts, clock: ManualClock) -> None:
    token = accounts.sign_in("anna", GOOD, "10.0.0.1")
    used_h = 0
    while accounts.who_of_session(token) is not None:
        clock.advance(10 * HOUR_S)
        used_h += 10
    assert used_h == 30 * 24


def test_a_session_is_not_written_with_every_request(accounts: Accounts, clock: ManualClock, tmp_path: Path) -> None:
    token = accounts.sign_in("anna", GOOD, "10.0.0.1")
    before = (tmp_path / "platform.db").read_bytes()
    for _ in range(10):
        clock.advance(20)
        assert accounts.who_of_session(token) is not None
    assert (tmp_path / "platform.db").read_bytes() == before


def test_a_new_sign_in_ends_the_session_that_the_browser_had(accounts: Accounts) -> None:
    first = accounts.sign_in("anna", GOOD, "10.0.0.1")
    other = accounts.sign_in("anna", GOOD, "10.0.0.2")
    second = accounts.sign_in("anna", GOOD, "10.0.0.1", former=first)
    assert accounts.who_of_session(first) is None
    assert accounts.who_of_session(second) is not None
    assert accounts.who_of_session(other) is not None


def test_sessions_that_ended_do_not_pile_up(accounts: Accounts, clock: ManualClock) -> None:
    for _ in range(20):
        accounts.sign_in("anna", GOOD, "10.0.0.1")
        clock.advance(13 * HOUR_S)
    accounts.sign_in("anna", GOOD, "10.0.0.1")
    with accounts.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM session").scalar() == 1


def test_a_disabled_account_is_out_at_once_and_stays_out(accounts: Accounts) -> None:
    token = accounts.sign_in("anna", GOOD, "10.0.0.1")
    assert accounts.who_of_session(token) is not None
    assert accounts.disable("anna", "chef").disabled_ms == T0
    assert accounts.who_of_session(token) is None
    with pytest.raises(SignInError):
        accounts.sign_in("anna", GOOD, "10.0.0.1")
    accounts.enable("anna", "chef")
    assert accounts.who_of_session(token) is None
    accounts.sign_in("anna", GOOD, "10.0.0.1")
    assert ("chef", "account disabled", "account anna", "") in audited(accounts)


def test_a_new_password_ends_all_sessions(accounts: Accounts) -> None:
    token = accounts.sign_in("anna", GOOD, "10.0.0.1")
    accounts.set_password("anna", "neues-passwort", "chef")
    assert accounts.who_of_session(token) is None
    with pytest.raises(SignInError):
        accounts.sign_in("anna", GOOD, "10.0.0.1")
    accounts.sign_in("anna", "neues-passwort", "10.0.0.1")


def test_new_rights_hold_at_once(accounts: Accounts) -> None:
    token = accounts.sign_in("anna", GOOD, "10.0.0.1")
    accounts.who_of_session(token)
    accounts.change("anna", "dispatcher", None, "chef")
    found = accounts.who_of_session(token)
    assert found is not None
    assert (found.role, found.town) == ("dispatcher", None)
    assert audited(accounts)[-1] == ("chef", "account changed", "account anna", "dispatcher of all towns")


@pytest.mark.parametrize(
    ("name", "password", "role", "town", "sentence"),
    [
        ("", GOOD, "yard", None, "expected 1 to 64 letters"),
        ("a b", GOOD, "yard", None, "the name is 'a b'; expected 1 to 64 letters"),
        ("x" * 65, GOOD, "yard", None, "expected 1 to 64 letters"),
        ("dev", GOOD, "yard", None, "'dev' is the platform's own"),
        ("bert", "kurz", "yard", None, "the password has 4 characters; expected 10 to 200"),
        ("bert", "x" * 201, "yard", None, "expected 10 to 200"),
        ("bert", GOOD, "king", None, "role is 'king'; expected one of technician, yard"),
        ("bert", GOOD, "public", None, "role is 'public'"),
        ("bert", GOOD, "yard", "leipzig", "town is 'leipzig'; expected one of belgershain"),
    ],
)
def test_what_can_be_no_account_is_told(
    accounts: Accounts, name: str, password: str, role: str, town: str | None, sentence: str
) -> None:
    with pytest.raises(AccountError, match=sentence) as caught:
        accounts.add(name, password, role, town, "test")
    assert password not in str(caught.value)
    assert [one.name for one in accounts.accounts()] == ["anna"]


def test_an_account_that_is_not_there_can_not_be_changed(accounts: Accounts) -> None:
    for change in (accounts.disable, accounts.enable):
        with pytest.raises(NoAccountError, match="there is no account 'bert'"):
            change("bert", "test")
    with pytest.raises(NoAccountError):
        accounts.set_password("bert", GOOD, "test")


def test_the_first_account_is_made_only_where_there_is_none(accounts: Accounts, tmp_path: Path) -> None:
    assert accounts.add_first(GOOD) is False
    with Relational(tmp_path / "fresh.db") as database:
        fresh = Accounts(database, ManualClock(T0), Passwords(CHEAP))
        assert fresh.is_empty()
        assert fresh.add_first(GOOD) is True
        assert not fresh.is_empty()
        found = fresh.who_of_session(fresh.sign_in("admin", GOOD, "10.0.0.1"))
    assert found is not None
    assert (found.role, found.town) == ("admin", None)


def test_a_token_holds_until_it_is_revoked(accounts: Accounts) -> None:
    secret, made = accounts.create_token("Aufträge", "yard", "naunhof", None, "chef")
    assert accounts.who_of_token(secret) == made
    assert accounts.tokens.revoke(made.id, "chef").revoked_ms == T0
    assert accounts.who_of_token(secret) is None
    assert accounts.tokens.revoke(made.id, "chef").revoked_ms == T0
    actions = [row for row in audited(accounts) if row[2].startswith("token")]
    assert actions == [
        ("chef", "token created", "token 1", "Aufträge yard of naunhof"),
        ("chef", "token revoked", "token 1", "Aufträge"),
    ]
    with pytest.raises(NoAccountError, match="there is no token 2"):
        accounts.tokens.revoke(2, "chef")


def test_a_token_with_days_ends_after_them(accounts: Accounts, clock: ManualClock) -> None:
    secret, _ = accounts.create_token("", "yard", None, 2, "chef")
    clock.advance(47 * HOUR_S)
    assert accounts.who_of_token(secret) is not None
    clock.advance(HOUR_S)
    assert accounts.who_of_token(secret) is None


@pytest.mark.parametrize(("label", "days"), [("x" * 101, None), ("a\nb", None), ("", 0), ("", 100_000)])
def test_what_can_be_no_token_is_told(accounts: Accounts, label: str, days: int | None) -> None:
    with pytest.raises(AccountError, match="expected"):
        accounts.create_token(label, "yard", None, days, "test")
    assert accounts.tokens.all() == []


@pytest.mark.parametrize("secret", ["", "x", "\ud800", "x" * 100_000, "' OR 1=1 --"])
def test_what_is_no_token_opens_nothing(accounts: Accounts, secret: str) -> None:
    assert accounts.who_of_token(secret) is None
    assert accounts.who_of_session(secret) is None
    accounts.sign_out(secret)


def test_what_was_looked_up_before_a_change_is_not_remembered_after_it(accounts: Accounts) -> None:
    token = accounts.sign_in("anna", GOOD, "10.0.0.1")
    generation = accounts.remembered.generation
    found = accounts.who_of_session(token)
    assert found is not None
    accounts.disable("anna", "chef")
    accounts.remembered.put("digest", found, generation)
    assert accounts.remembered.find("digest") is None


class Slow(Passwords):
    """Compares until it may go on."""

    may_go_on = threading.Event()

    def _compare(self, kept: str, password: str) -> bool:
        return self.may_go_on.wait(20)


def test_a_flood_of_sign_ins_does_not_take_all_threads() -> None:
    slow = Slow(CHEAP)
    askers = [threading.Thread(target=slow.matches, args=("kept", "x")) for _ in range(WAITING_MAX)]
    for asker in askers:
        asker.start()
    until("all of them wait", lambda: slow._waiting == WAITING_MAX, 20)
    with pytest.raises(TooManyError):
        slow.matches("kept", "x")
    slow.may_go_on.set()
    for asker in askers:
        asker.join(20)
    assert slow._waiting == 0


def test_generated_passwords_may_be_passwords_and_differ(accounts: Accounts) -> None:
    made = {generate() for _ in range(100)}
    assert len(made) == 100
    accounts.set_password("anna", made.pop(), "test")
