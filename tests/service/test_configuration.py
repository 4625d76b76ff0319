"""config.toml: every mistake with its place, the environment above it, a default for everything."""

from pathlib import Path

import pytest

from reconciler.errors import SpecError
from reconciler.service.configuration import SETTINGS, Configuration, configure
from tests.support.golden import golden

HERE = Path(__file__).parent


def read(directory: Path, text: str, **environment: str) -> Configuration:
    file = directory / "config.toml"
    file.write_text(text)
    return configure(str(file), None, environment)


def problems(directory: Path, text: str, **environment: str) -> str:
    with pytest.raises(SpecError) as caught:
        read(directory, text, **environment)
    return str(caught.value).replace(f"{directory}/", "")


def test_everything_has_a_default(tmp_path: Path) -> None:
    configuration = configure(None, str(tmp_path / "Shop"), {})
    assert [(item.name, item.policy.apply, item.policy.heal) for item in configuration.projects] == [
        ("shop", True, True)
    ]
    assert configuration.timing.resync == 300
    assert configuration.number("stop_timeout") == 60


def test_projects_are_named_after_their_directories_and_relative_to_the_file(tmp_path: Path) -> None:
    text = 'heal = false\n[[project]]\npath = "shop"\n[[project]]\npath = "/srv/other"\nname = "two"\nheal = true\napply = false\n'
    one, two = read(tmp_path, text).projects
    assert (one.name, one.path, one.policy.apply, one.policy.heal) == ("shop", tmp_path / "shop", True, False)
    assert (two.name, two.path, two.policy.apply, two.policy.heal) == ("two", Path("/srv/other"), False, True)


def test_every_directory_under_a_root_is_a_project(tmp_path: Path) -> None:
    for name in ("b", "a", "empty", ".hidden"):
        (tmp_path / "all" / name).mkdir(parents=True)
        if name != "empty":
            (tmp_path / "all" / name / "x.toml").touch()
    assert [item.name for item in read(tmp_path, 'root = "all"\n').projects] == ["a", "b"]


def test_the_environment_is_above_the_file(tmp_path: Path) -> None:
    text = '[[project]]\npath = "x"\n[timing]\nresync = "10m"\n'
    configuration = read(
        tmp_path,
        text,
        RECONCILER_TIMING_RESYNC="1h",
        RECONCILER_HEAL="false",
        RECONCILER_PARALLEL="3",
        RECONCILER_DEBUG="1",
    )
    assert configuration.timing.resync == 3600
    assert not configuration.projects[0].policy.heal
    assert configuration.number("parallel") == 3


def test_a_path_on_the_command_line_is_the_only_project(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('apply = false\n[[project]]\npath = "x"\n')
    (only,) = configure(str(file), "specs", {}).projects
    assert (only.name, only.policy.apply) == ("specs", False)


MISTAKES = {
    "unknown": 'aply = true\nhael = false\n[timing]\nresink = "1m"\n[[project]]\npath = "x"\nsauce = "y"\n',
    "types": 'apply = "yes"\nparallel = "4"\n[timing]\nresync = 30\n[[project]]\npath = 3\n',
    "values": '[timing]\nresync = "soon"\nfiles = "-1s"\nretry = "1ms"\n[flapping]\nlimit = 0\n[log]\nformat = "xml"\n[[project]]\npath = "x"\n',
    "projects": '[[project]]\nname = "a b"\npath = "x"\n[[project]]\nname = "x"\n[[project]]\npath = "a/x"\n[[project]]\npath = "b/x"\n',
    "elsewhere": '[container.web]\nimage = "busybox"\n[[projects]]\npath = "x"\n',
    "table instead of list": '[project]\npath = "x"\n',
    "not TOML": "apply = yes\n",
    "nothing": "",
    "no root": 'root = "nowhere"\n',
    "sources": """
[[project]]
source = { git = "https://example.com/team/shop.git", interval = "soon", ref = "a..b" }
[[project]]
source = { git = "ssh://example.com/x.git" }
[[project]]
path = "x"
source = { git = "https://example.com/x.git" }
[[project]]
source = 5
[[project]]
source = { gti = "https://example.com/x.git" }
[[project]]
source = { git = "https://example.com/z.git", webhook = { kind = "githb" }, interval = 5 }
[[project]]
[project.source]
git = "https://me:pass@example.com/z.git"
max_size = "lots"
[[project]]
source = { directory = "here", ref = "main" }
""",
}


def test_mistakes(tmp_path: Path) -> None:
    shown = "".join(f"# {name}\n{text}---\n{problems(tmp_path, text)}\n\n" for name, text in MISTAKES.items())
    golden(HERE / "mistakes.txt", shown)


def test_mistakes_in_variables(tmp_path: Path) -> None:
    text = problems(
        tmp_path,
        '[[project]]\npath = "x"\n',
        RECONCILER_APPLY="perhaps",
        RECONCILER_PARALLEL="many",
        RECONCILER_TIMING_FILES="1 sec",
        RECONCILER_LOG_FORMAT="xml",
    )
    for name in ("APPLY", "PARALLEL", "TIMING_FILES", "LOG_FORMAT"):
        assert f"RECONCILER_{name}: " in text


@pytest.mark.parametrize(
    "text", ["[" * 5000, "a = " + "[" * 5000, "x = " + "9" * 10_000, "a." * 20_000 + "b = 1", "\0"]
)
def test_hostile_files_are_refused(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read"):
        configure(str(tmp_path / "none.toml"), None, {})


def test_names_of_settings_are_unique() -> None:
    variables = [setting.variable for setting in SETTINGS]
    assert len(set(variables)) == len(variables)
    assert all(setting.summary.endswith(".") for setting in SETTINGS)


def test_a_repository_in_place_of_a_path(tmp_path: Path) -> None:
    text = (
        '[[project]]\nsource = { git = "https://example.com/team/hosts.git", path = "hosts/a", token_file = "t" }\n'
        '[[project]]\nsource = { git = "git@example.com:team/shop.git", ssh_key = "k", known_hosts = "h" }\nheal = false\n'
        '[[project]]\nsource = { directory = "lab" }\n'
    )
    hosts, shop, lab = read(tmp_path, text).projects
    assert (hosts.name, hosts.place, hosts.path) == ("a", "https://example.com/team/hosts.git", None)
    assert hosts.source.git is not None
    assert hosts.source.git.token_file == str(tmp_path / "t")
    assert (shop.name, shop.policy.heal) == ("shop", False)
    assert (lab.name, lab.path, lab.source.git) == ("lab", tmp_path / "lab", None)
