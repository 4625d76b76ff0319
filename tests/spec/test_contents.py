"""Files and secrets as content: where their bytes come from, where they go, and that nobody sees a secret's."""

from pathlib import Path

import pytest

from reconciler.errors import SpecError
from reconciler.model.contents import OnChange, Use
from reconciler.model.desired import ContainerResource, DesiredState
from reconciler.spec import contents, watched
from reconciler.spec.load import load

WEB = '[container.web]\nimage = "busybox:latest"\n'
SECRET = "never-shown-7f3a"


def state_of(directory: Path, text: str, **environment: str) -> DesiredState:
    (directory / "a.toml").write_text(text)
    return load(directory, environment)


def web(state: DesiredState) -> ContainerResource:
    return state.containers()[0]


def uses(state: DesiredState) -> dict[str, Use]:
    return {use.target or use.content.key: use for use in web(state).contents}


def test_a_content_comes_from_one_of_three(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\x00\xff binary")
    (tmp_path / ".env").write_text("FROM_DOTENV=dotenv\n")
    state = state_of(
        tmp_path,
        '[secret.a]\nfile = "key"\n[secret.b]\nenvironment = "FROM_DOTENV"\n[secret.c]\nenvironment = "GIVEN"\n'
        f'[secret.d]\ncontent = "${{GIVEN}}!"\n[config.e]\ncontent = "a\\nb"\n{WEB}configs = ["e"]',
        GIVEN="123",
    )
    held = {name: content.bytes for name, content in state.secrets.items()}
    assert held == {"a": b"\x00\xff binary", "b": b"dotenv", "c": b"123", "d": b"123!"}
    assert uses(state)["/e"].content.bytes == b"a\nb"
    assert state.warnings == ("secret.d stands in the spec itself, for all who may read it; name a file or a variable",)


def test_where_files_go(tmp_path: Path) -> None:
    state = state_of(
        tmp_path,
        f'[config.motd]\ncontent = "x"\n[secret.key]\nenvironment = "KEY"\n{WEB}'
        'configs = ["motd", { source = "motd", target = "/etc/motd", uid = "5", gid = 6, mode = "0640" }]\n'
        'secrets = ["key", { source = "key", target = "a/b", mode = 0o440, on_change = "signal:hup" }]\n',
        KEY=SECRET,
    )
    found = {path: use._replace(content=None) for path, use in uses(state).items()}  # type: ignore[arg-type]
    nothing: None = None
    assert found == {
        "/motd": Use(nothing, target="/motd"),  # type: ignore[arg-type]
        "/etc/motd": Use(nothing, target="/etc/motd", uid=5, gid=6, mode=0o640),  # type: ignore[arg-type]
        "/run/secrets/key": Use(nothing, target="/run/secrets/key", mode=0o400),  # type: ignore[arg-type]
        "/run/secrets/a/b": Use(nothing, OnChange.SIGNAL, "SIGHUP", "/run/secrets/a/b", mode=0o440),  # type: ignore[arg-type]
    }
    assert web(state).holders == ()
    assert web(state).config["secrets"] == {
        "/run/secrets/key": {"source": "key"},
        "/run/secrets/a/b": {"source": "key", "mode": 0o440},
    }, "what a change means is no part of what the container is made from"


def test_what_the_engine_cannot_write_to_gets_volumes(tmp_path: Path) -> None:
    both = f'[secret.key]\nenvironment = "KEY"\n[config.c]\ncontent = "x"\n{WEB}secrets = ["key"]\n'
    state = state_of(
        tmp_path, both + 'read_only = true\nconfigs = [{ source = "c", target = "/etc/app/c" }]\n', KEY="x"
    )
    assert web(state).holders == ("/etc/app", "/run/reconciler", "/run/secrets")
    assert uses(state)["/etc/app/c"].base == "/etc/app"
    state = state_of(tmp_path, both + 'tmpfs = ["/run"]\nconfigs = ["c"]\n', KEY="x")
    assert web(state).holders == ("/run/reconciler", "/run/secrets")
    assert uses(state)["/c"].base == "/"


def test_what_is_watched(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "a").write_text("one")
    text = f'{WEB}volumes = ["./conf:/conf:ro"]\nwatch = [{{ path = "./conf", on_change = "restart" }}]\n'
    first = uses(state_of(tmp_path, text))["watch.conf"]
    assert (first.on_change, first.target) == (OnChange.RESTART, "")
    assert uses(state_of(tmp_path, text))["watch.conf"] == first
    for change in (
        lambda: (tmp_path / "conf" / "a").write_text("two"),
        lambda: (tmp_path / "conf" / "a").rename(tmp_path / "conf" / "b"),
        lambda: (tmp_path / "conf" / "link").symlink_to("nowhere"),
        lambda: (tmp_path / "conf" / "link").unlink() or (tmp_path / "conf" / "link").symlink_to("elsewhere"),
    ):
        change()
        again = uses(state_of(tmp_path, text))["watch.conf"]
        assert again != first
        first = again
    state = state_of(tmp_path, text.replace("restart", "ignore"))
    assert not uses(state)
    assert str(tmp_path / "conf") in state.reads, "the one who looks at files wants to know of it all the same"


def test_what_is_watched_has_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conf").mkdir()
    for number in range(4):
        (tmp_path / "conf" / str(number)).write_text("x" * 10)
    text = f'{WEB}volumes = ["./conf:/conf:ro"]\nwatch = ["./conf"]\n'
    monkeypatch.setattr(watched, "MAX_FILES", 3)
    with pytest.raises(SpecError, match="holds more than"):
        state_of(tmp_path, text)
    monkeypatch.setattr(watched, "MAX_FILES", 9)
    monkeypatch.setattr(watched, "MAX_BYTES", 39)
    with pytest.raises(SpecError, match="holds more than"):
        state_of(tmp_path, text)
    monkeypatch.setattr(watched, "MAX_BYTES", 40)
    assert uses(state_of(tmp_path, text))


def test_all_that_is_read_is_told(tmp_path: Path) -> None:
    for name in ("key", "one.env"):
        (tmp_path / name).touch()
    state = state_of(tmp_path, f'[secret.key]\nfile = "key"\n{WEB}env_file = "one.env"\n')
    assert state.reads == tuple(str(tmp_path / name) for name in (".env", "key", "one.env"))


def test_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_bytes(b"12345")
    monkeypatch.setattr(contents, "MAX_BYTES", 4)
    with pytest.raises(SpecError, match="is larger than"):
        state_of(tmp_path, f'[secret.key]\nfile = "key"\n{WEB}')


def test_a_secret_is_not_shown(tmp_path: Path) -> None:
    state = state_of(tmp_path, f'[secret.key]\nenvironment = "KEY"\n{WEB}secrets = ["key"]\n', KEY=SECRET)
    assert state.secrets["key"].bytes == SECRET.encode()
    for text in (repr(state), str(state), f"{state.secrets['key']}", repr(web(state))):
        assert SECRET not in text
        assert "secrets.key" in text


@pytest.mark.parametrize(
    "table",
    [
        f'content = ["{SECRET}"]',
        f'cotent = "{SECRET}"',
        f'content = "{SECRET}${{UNSET}}"',
        f'content = "{SECRET}\\u0000"',
    ],
)
def test_mistakes_do_not_show_it_either(tmp_path: Path, table: str) -> None:
    with pytest.raises(SpecError) as raised:
        state_of(tmp_path, f"[secret.key]\n{table}\n{WEB}")
    assert SECRET not in str(raised.value)
