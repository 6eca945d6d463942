"""A node's settings: a commented example that loads, and mistakes that are all told at once, in words an operator knows."""

import re
import tomllib
from pathlib import Path

import pytest

from node.config.settings import HTTP_RISK, NETWORK_RISK, Settings, example_toml, load_settings
from node.errors import Broken
from node.model.policy import Policy
from node.model.reason import Reason

LEAST = 'node_id = "bo-noi-vu"\nname = "Bộ Nội vụ"\n'


def home_with(folder: Path, text: str) -> Path:
    (folder / "node.toml").write_text(text, "utf-8")
    return folder


def mistakes(home: Path) -> list[str]:
    """Lines of the refusal without its heading."""
    with pytest.raises(Broken) as refused:
        load_settings(home)
    assert refused.value.reason is Reason.SETTINGS_INVALID
    heading, *lines = refused.value.detail.splitlines()
    assert "node.toml" in heading
    return lines


def test_the_example_file_loads_and_says_what_was_given(tmp_path: Path) -> None:
    text = example_toml(
        "bo-noi-vu",
        'Bộ "Nội vụ" \\ \x7f',
        mesh_listen="0.0.0.0:7401",
        mesh_advertise="truc.moha.gov.vn:7401",
        office_listen="[::1]:0",
        carry_for_others=True,
    )
    settings = load_settings(home_with(tmp_path, text))

    assert (settings.node_id, settings.name) == ("bo-noi-vu", 'Bộ "Nội vụ" \\ \x7f')
    assert (settings.mesh.listen, settings.mesh.advertise) == ("0.0.0.0:7401", "truc.moha.gov.vn:7401")
    assert settings.office.listen == "[::1]:0"
    assert settings.policy() == Policy(relay_for_others=True)


def test_what_the_example_shows_as_default_is_the_default(tmp_path: Path) -> None:
    text = example_toml("a", "A")
    shown = re.sub(r"^# ([a-z_]+ = )", r"\1", text, flags=re.MULTILINE)
    given = tomllib.loads(shown)
    examples = {
        ("directory", "folder"),
        ("keys", "passphrase_file"),
        ("calendar", "file"),
        ("statuses", "arrival_by_software"),
    }
    examples |= {("vxp", name) for name in ("listen", "certificate", "key", "http_risk")}
    examples |= {("watch", name) for name in ("listen", "network_risk")}

    settings = load_settings(home_with(tmp_path, text))
    for section, keys in given.items():
        for key, value in keys.items() if isinstance(keys, dict) else []:
            if (section, key) not in examples:
                assert getattr(getattr(settings, section), key) == value, f"{section}.{key}"
    assert {section for section in Settings.model_fields if section not in given} == set()


def test_nothing_listens_beyond_this_machine_unless_told(tmp_path: Path) -> None:
    settings = load_settings(home_with(tmp_path, LEAST))

    assert settings.mesh.listen.startswith("127.0.0.1:")
    assert settings.office.listen.startswith("127.0.0.1:")
    assert settings.mesh.advertise == ""
    assert settings.policy() == Policy()


def test_limits_and_times_reach_the_policy(tmp_path: Path) -> None:
    text = LEAST + "[limits]\npacket_bytes_max = 1_000_000\n[times]\nlease_ms = 1_500\nrelay_after_ms = 250\n"
    policy = load_settings(home_with(tmp_path, text)).policy()

    assert (policy.packet_bytes_max, policy.lease_ms, policy.relay_after_ms) == (1_000_000, 1_500, 250)


def test_who_reports_arrivals_reaches_the_policy_by_canonical_codes(tmp_path: Path) -> None:
    text = LEAST + '[statuses]\narrival_by_software = ["000.05.22.H49", "g14"]\n'
    policy = load_settings(home_with(tmp_path, text)).policy()

    assert policy.arrival_by_software == {"H49.22.05", "G14"}
    assert (policy.reports_arrival("G14"), policy.reports_arrival("G15")) == (False, True)
    assert mistakes(home_with(tmp_path, LEAST + '[statuses]\narrival_by_software = ["Sở"]\n')) == [
        'statuses.arrival_by_software.0: không phải mã định danh, ví dụ "H49.22.05" hoặc "000.05.22.H49" (đang là \'Sở\')'
    ]


def test_the_environment_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUC_MESH__LISTEN", "127.0.0.1:9001")
    monkeypatch.setenv("TRUC_TIMES__LEASE_MS", "700")
    settings = load_settings(home_with(tmp_path, LEAST + '[mesh]\nlisten = "127.0.0.1:1"\nadvertise = "a.vn:2"\n'))

    assert (settings.mesh.listen, settings.mesh.advertise) == ("127.0.0.1:9001", "a.vn:2")
    assert settings.times.lease_ms == 700


def test_variables_of_the_command_line_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUC_HOME", str(tmp_path))
    monkeypatch.setenv("TRUC_SYSTEM", "qlvb.toml")

    assert load_settings(home_with(tmp_path, LEAST)).node_id == "bo-noi-vu"


def test_all_mistakes_are_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUC_MESSH__LISTEN", "127.0.0.1:1")
    monkeypatch.setenv("TRUC_LIMITS__PUSH_WINDOW", "four")
    text = """
node_idd = "x"
name = ""
_env_file = "/etc/passwd"
times = 5
[mesh]
listen = "https://a.vn:1"
advertise = "a.vn:0"
adress = "a.vn:1"
[limits]
packet_bytes_max = 5
[log]
level = "loud"
[relay]
carry_for_others = "maybe"
"""
    lines = mistakes(home_with(tmp_path, text))

    assert {line.split(":")[0] for line in lines} == {
        "node_idd",
        "_env_file",
        "TRUC_MESSH__LISTEN",
        "node_id",
        "name",
        "times",
        "mesh.listen",
        "mesh.advertise",
        "mesh.adress",
        "limits.packet_bytes_max",
        "limits.push_window (TRUC_LIMITS__PUSH_WINDOW)",
        "log.level",
        "relay.carry_for_others",
    }
    assert "node_idd: không có mục này; có phải node_id?" in lines
    assert "TRUC_MESSH__LISTEN: không có mục này; có phải mesh?" in lines
    assert "limits.packet_bytes_max: nhỏ quá, ít nhất là 65536 (đang là '5')" in lines
    assert "log.level: phải là một trong: 'debug', 'info', 'warning', 'error' (đang là 'loud')" in lines


def test_an_unknown_key_is_answered_with_the_nearest_one(tmp_path: Path) -> None:
    home = home_with(tmp_path, LEAST + '[mesh]\nadvertize = "a.vn:1"\n[office]\nzzz = 1\n')

    assert mistakes(home) == [
        "mesh.advertize: không có mục này; có phải advertise?",
        "office.zzz: không có mục này; các mục có: listen",
    ]


def test_a_secret_written_into_the_file_is_refused_and_not_repeated(tmp_path: Path) -> None:
    lines = mistakes(home_with(tmp_path, LEAST + '[keys]\npassphrase = "hunter2"\npassphrase_file = ["hunter2"]\n'))

    assert "keys.passphrase: không có mục này; có phải passphrase_file?" in lines
    assert len(lines) == 2
    assert "hunter2" not in "".join(lines)


@pytest.mark.parametrize("node_id", ["", "Bo-Noi-Vu", "bộ", "a b", "a" * 65])
def test_a_node_id_that_the_directory_cannot_name_is_refused(tmp_path: Path, node_id: str) -> None:
    assert mistakes(home_with(tmp_path, f'node_id = "{node_id}"\nname = "A"\n'))[0].startswith("node_id: ")


@pytest.mark.parametrize("address", ["7401", "a.vn", "a.vn:", ":7401", "a.vn:65536", "::1:7401", "a.vn:74 01", "a/b:1"])
def test_an_address_that_nobody_could_listen_on_is_refused(tmp_path: Path, address: str) -> None:
    assert mistakes(home_with(tmp_path, f'{LEAST}[mesh]\nlisten = "{address}"\n'))[0].startswith("mesh.listen: ")


def test_a_file_that_is_not_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(Broken, match="line 3") as refused:
        load_settings(home_with(tmp_path, LEAST + "mesh listen\n"))
    assert refused.value.reason is Reason.SETTINGS_INVALID


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_bytes(b"name = \xff")
    with pytest.raises(Broken, match="UTF-8"):
        load_settings(tmp_path)


def test_a_variable_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUC_LOG", "debug")

    assert mistakes(home_with(tmp_path, LEAST)) == [
        'biến môi trường: error parsing value for field "log" from source "EnvSettingsSource"'
    ]


def test_a_folder_without_a_node_is_said_to_be_one(tmp_path: Path) -> None:
    for home in (tmp_path, tmp_path / "absent"):
        with pytest.raises(Broken) as refused:
            load_settings(home)
        assert refused.value.reason is Reason.HOME_MISSING
        assert str(home / "node.toml") in refused.value.detail


def test_relative_paths_begin_at_home_and_absolute_ones_stay(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "passphrase").write_text("x", "utf-8")
    text = LEAST + '[keys]\npassphrase_file = "keys/passphrase"\n[directory]\nfolder = "/srv/danh-ba"\n'
    settings = load_settings(home_with(tmp_path, text))

    assert settings.keys.passphrase_file == tmp_path / "keys" / "passphrase"
    assert settings.directory.folder == Path("/srv/danh-ba")


def test_a_passphrase_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Broken, match="keys/absent") as refused:
        load_settings(home_with(tmp_path, LEAST + '[keys]\npassphrase_file = "keys/absent"\n'))
    assert refused.value.reason is Reason.KEY_FILE_MISSING


def test_the_bridge_is_off_until_it_is_told_where_to_listen(tmp_path: Path) -> None:
    assert load_settings(home_with(tmp_path, LEAST)).vxp.listen == ""


@pytest.mark.parametrize("listen", ["127.0.0.1:7403", "[::1]:7403", "localhost:7403", "127.8.9.1:0"])
def test_the_bridge_speaks_plain_http_on_this_machine(tmp_path: Path, listen: str) -> None:
    assert load_settings(home_with(tmp_path, f'{LEAST}[vxp]\nlisten = "{listen}"\n')).vxp.listen == listen


@pytest.mark.parametrize("listen", ["0.0.0.0:7403", "[::]:7403", "10.0.0.5:7403", "truc.h49.gov.vn:7403"])
def test_the_bridge_without_tls_beyond_this_machine_needs_the_risk_in_words(tmp_path: Path, listen: str) -> None:
    [line] = mistakes(home_with(tmp_path, f'{LEAST}[vxp]\nlisten = "{listen}"\n'))
    assert line.startswith(f"vxp: {listen} nghe ngoài máy này mà không có TLS")
    assert HTTP_RISK in line
    [line] = mistakes(home_with(tmp_path, f'{LEAST}[vxp]\nlisten = "{listen}"\nhttp_risk = "yes"\n'))
    assert line.startswith("vxp.http_risk: phải là một trong")

    accepted = load_settings(home_with(tmp_path, f'{LEAST}[vxp]\nlisten = "{listen}"\nhttp_risk = "{HTTP_RISK}"\n'))
    assert accepted.vxp.listen == listen


def test_the_bridge_with_tls_listens_anywhere_and_its_files_lie_at_home(tmp_path: Path) -> None:
    text = f'{LEAST}[vxp]\nlisten = "0.0.0.0:7403"\ncertificate = "keys/vxp.crt"\nkey = "keys/vxp.key"\n'
    settings = load_settings(home_with(tmp_path, text))

    assert (settings.vxp.certificate, settings.vxp.key) == (tmp_path / "keys/vxp.crt", tmp_path / "keys/vxp.key")
    [line] = mistakes(home_with(tmp_path, f'{LEAST}[vxp]\nlisten = "0.0.0.0:7403"\ncertificate = "a.crt"\n'))
    assert "certificate và key phải đi cùng nhau" in line


def test_the_watch_is_off_until_it_is_told_where_to_listen(tmp_path: Path) -> None:
    assert load_settings(home_with(tmp_path, LEAST)).watch.listen == ""
    assert load_settings(home_with(tmp_path, f'{LEAST}[watch]\nlisten = "[::1]:7404"\n')).watch.listen == "[::1]:7404"


@pytest.mark.parametrize("listen", ["0.0.0.0:7404", "[::]:7404", "10.0.0.5:7404"])
def test_the_watch_beyond_this_machine_needs_the_risk_in_words(tmp_path: Path, listen: str) -> None:
    [line] = mistakes(home_with(tmp_path, f'{LEAST}[watch]\nlisten = "{listen}"\n'))
    assert line.startswith(f"watch: {listen} nghe ngoài máy này")
    assert NETWORK_RISK in line
    [line] = mistakes(home_with(tmp_path, f'{LEAST}[watch]\nlisten = "{listen}"\nnetwork_risk = "yes"\n'))
    assert line.startswith("watch.network_risk: phải là một trong")

    accepted = load_settings(
        home_with(tmp_path, f'{LEAST}[watch]\nlisten = "{listen}"\nnetwork_risk = "{NETWORK_RISK}"\n')
    )
    assert accepted.watch.listen == listen
