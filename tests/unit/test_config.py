"""Settings: where they come from, who wins, and what is said when one is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import platformdirs
import pytest

from naq_runtime.config import NAQConfig, get_config, redacted_url
from naq_runtime.errors import ConfigError

Load = Callable[..., NAQConfig]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads settings from the text of a file, an environment and arguments."""

    def load(
        text: str = "", environ: Mapping[str, str] | None = None, arguments: Mapping[str, object] | None = None
    ) -> NAQConfig:
        file = tmp_path / "given.toml"
        file.write_text(text, encoding="utf-8")
        return NAQConfig.load(file, environ or {}, arguments)

    return load


def refusal(load: Load, *args: object, **kwargs: object) -> str:
    """The words with which settings are refused."""
    with pytest.raises(ConfigError) as error:
        load(*args, **kwargs)
    return str(error.value)


class TestDefaults:
    def test_nothing_given_is_a_server_on_this_machine(self, load: Load) -> None:
        config = load()

        assert config == NAQConfig()
        assert config.namespace == "naq"
        assert config.names.jobs_stream == "NAQ_JOBS"
        assert config.nats.url == "nats://127.0.0.1:4222"
        assert config.nats.password is None
        assert config.events.enabled
        assert config.jobs.ack_wait == 30.0
        assert config.worker.concurrency == 10


class TestPriority:
    FILE = 'namespace = "file"\n[worker]\nconcurrency = 2\ncommit_size = 20\n[events]\nbatch_size = 200\n'

    def test_the_file_is_above_the_defaults(self, load: Load) -> None:
        config = load(self.FILE)
        assert (config.namespace, config.worker.concurrency, config.events.batch_size) == ("file", 2, 200)

    def test_the_environment_is_above_the_file(self, load: Load) -> None:
        config = load(self.FILE, {"NAQ_NAMESPACE": "environment", "NAQ_WORKER_CONCURRENCY": "3"})

        assert (config.namespace, config.worker.concurrency) == ("environment", 3)
        assert config.worker.commit_size == 20

    def test_arguments_are_above_the_environment(self, load: Load) -> None:
        config = load(self.FILE, {"NAQ_WORKER_CONCURRENCY": "3"}, {"worker.concurrency": 4, "namespace": "argument"})

        assert (config.namespace, config.worker.concurrency) == ("argument", 4)
        assert config.worker.commit_size == 20

    def test_an_argument_of_none_was_not_given(self, load: Load) -> None:
        assert load(self.FILE, {}, {"worker.concurrency": None}).worker.concurrency == 2

    def test_the_environment_is_read_as_what_the_setting_is(self, load: Load) -> None:
        config = load(
            "",
            {
                "NAQ_EVENTS_ENABLED": "false",
                "NAQ_EVENTS_FLUSH_INTERVAL": "0.5",
                "NAQ_EVENTS_MAX_COUNT": "-1",
                "NAQ_NATS_PASSWORD": "12345",
            },
        )

        assert config.events.enabled is False
        assert config.events.flush_interval == 0.5
        assert config.events.max_count == -1
        assert config.nats.password == "12345"

    def test_variables_that_are_no_settings_are_passed_over(self, load: Load) -> None:
        assert load("", {"NAQ_TEST_MODE": "1", "NAQ": "x", "NATS_URL": "nats://elsewhere", "PATH": "/"}) == NAQConfig()


class TestFiles:
    def test_the_environment_may_name_the_file(self, tmp_path: Path) -> None:
        (tmp_path / "named.toml").write_text('namespace = "named"')
        assert NAQConfig.load(environ={"NAQ_CONFIG": str(tmp_path / "named.toml")}).namespace == "named"

    def test_a_file_in_the_working_directory_is_found_before_the_users(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        home, here = tmp_path / "home", tmp_path / "here"
        (home / "naq").mkdir(parents=True)
        here.mkdir()
        monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
        monkeypatch.setattr(platformdirs, "user_config_dir", lambda name: str(home / name))
        monkeypatch.chdir(here)
        assert NAQConfig.load(environ={}).namespace == "naq"

        (home / "naq" / "config.toml").write_text('namespace = "users"')
        assert NAQConfig.load(environ={}).namespace == "users"

        (here / "naq.toml").write_text('namespace = "here"')
        assert NAQConfig.load(environ={}).namespace == "here"

    def test_the_settings_of_the_process_are_those_of_its_environment(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("NAQ_NAMESPACE", "process")
        assert get_config().namespace == "process"

    def test_a_file_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        words = refusal(lambda: NAQConfig.load(tmp_path / "none.toml", {}))
        assert words == f"cannot read the config file {tmp_path / 'none.toml'}: No such file or directory"

    @pytest.mark.parametrize("content", [b"namespace = ", b"\x00", b"\xff\xfe", b"[nats]\n[nats]\n"])
    def test_a_file_that_is_not_toml_is_named(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "broken.toml").write_bytes(content)
        words = refusal(lambda: NAQConfig.load(tmp_path / "broken.toml", {}))
        assert words.startswith(f"the config file {tmp_path / 'broken.toml'} is not valid TOML: ")


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "key", "expected", "got"),
        [
            ("[worker]\nconcurrency = 0", "worker.concurrency", "a whole number >= 1", "0"),
            ("[worker]\nconcurrency = 10_001", "worker.concurrency", "a whole number <= 10000", "10001"),
            ('[worker]\nconcurrency = "many"', "worker.concurrency", "a whole number", "'many'"),
            ("[events]\nbatch_size = 1001", "events.batch_size", "a whole number <= 1000", "1001"),
            ("[events]\nflush_interval = 0", "events.flush_interval", "a number of seconds > 0", "0"),
            ("[events]\nmax_bytes = -2", "events.max_bytes", "a whole number >= -1", "-2"),
            ("[jobs]\nack_wait = 0.5", "jobs.ack_wait", "a number of seconds >= 1", "0.5"),
            ("[nats]\nconnect_timeout = nan", "nats.connect_timeout", "a number of seconds > 0", "nan"),
            ('[nats]\nurl = ""', "nats.url", "an address such as nats://127.0.0.1:4222", "''"),
            ('[jobs]\nserializer = "json"', "jobs.serializer", "a class as 'module:Name'", "'json'"),
            ("[streams]\nreplicas = 6", "streams.replicas", "a whole number <= 5", "6"),
            ('[events]\nmax_age = "7d"', "events.max_age", "a number of seconds", "'7d'"),
            ('[results]\nlarge = "no"', "results.large", "refuse or store", "'no'"),
            (
                '[alerts.x]\nrule = "worker_lost"\nseverity = "high"',
                "alerts.x.severity",
                "critical, info or warning",
                "'high'",
            ),
            ("namespace = 5", "namespace", "a text", "5"),
            ('nats = "here"', "nats", "a table", "'here'"),
        ],
    )
    def test_a_value_out_of_range_is_refused_by_key_expectation_and_value(
        self, load: Load, tmp_path: Path, text: str, key: str, expected: str, got: str
    ) -> None:
        words = refusal(load, text)

        assert words.startswith(f"{tmp_path / 'given.toml'}: setting {key}: expected {expected}")
        assert words.endswith(f", got {got}")

    def test_the_environment_is_refused_in_the_same_words(self, load: Load) -> None:
        words = refusal(load, "", {"NAQ_WORKER_CONCURRENCY": "many"})

        assert words == "NAQ_WORKER_CONCURRENCY: setting worker.concurrency: expected a whole number, got 'many'"

    def test_an_argument_is_refused_without_naming_a_file_that_does_not_set_it(self, load: Load) -> None:
        words = refusal(load, "[worker]\nconcurrency = 3", {}, {"worker.concurrency": 0})

        assert words == "setting worker.concurrency: expected a whole number >= 1, got 0"

    def test_a_table_that_is_a_value_in_the_file_is_refused_even_when_the_environment_sets_one_of_its_keys(
        self, load: Load
    ) -> None:
        words = refusal(load, 'nats = "here"', {"NAQ_NATS_URL": "nats://there"})
        assert words.endswith("given.toml: setting nats: expected a table, got 'here'")

    def test_a_namespace_that_cannot_be_one_is_refused(self, load: Load) -> None:
        words = refusal(load, 'namespace = "Team.A"')
        assert "namespace 'Team.A' is not valid: use 1 to 32 lower-case letters" in words

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("[worker]\nconcurency = 3", "setting worker.concurency: not known, did you mean concurrency?"),
            ("[wroker]\nconcurrency = 3", "setting wroker: not known, did you mean worker?"),
            ('nmaespace = "a"', "setting nmaespace: not known, did you mean namespace?"),
            (
                '[processors.hook]\nkind = "webhook"\nurl = "http://h"\ntimeot = 3',
                "setting processors.hook.timeot: not known, did you mean timeout?",
            ),
        ],
    )
    def test_an_unknown_key_is_refused_by_name_with_the_one_that_is_near(
        self, load: Load, text: str, words: str
    ) -> None:
        assert refusal(load, text).endswith(f"given.toml: {words}")

    def test_of_an_unknown_key_that_is_near_none_all_are_named(self, load: Load) -> None:
        words = refusal(load, "", {}, {"streams.colour": "red"})

        assert words == "setting streams.colour: not known (there is replicas)"

    @pytest.mark.parametrize("key", ["nats.connect_timeout", "nats.request_timeout", "events.max_age", "results.ttl"])
    def test_a_duration_without_end_is_refused(self, load: Load, key: str) -> None:
        section, _, name = key.partition(".")
        assert f"setting {key}: " in refusal(load, f"[{section}]\n{name} = inf")


class TestSecrets:
    @pytest.mark.parametrize("key", ["password", "token"])
    def test_a_secret_of_the_wrong_kind_is_not_shown(self, load: Load, key: str) -> None:
        words = refusal(load, f"[nats]\n{key} = 424242")

        assert words.endswith(", got (hidden)")
        assert "424242" not in words

    def test_a_misspelt_neighbour_does_not_show_the_secret(self, load: Load) -> None:
        words = refusal(load, '[nats]\npassword = "hunter2"\nuser_name = "naq"\n')

        assert "user_name" in words
        assert "hunter2" not in words

    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("nats://127.0.0.1:4222", "nats://127.0.0.1:4222"),
            ("nats://user:hunter2@host:4222", "nats://host:4222"),
            ("tls://t0ken@host", "tls://host"),
            ("nats://user:p@ss@host", "nats://host"),
            ("nats://u:p@a:1, nats://u:p@b:2", "nats://a:1,nats://b:2"),
            ("nats://[::1]:4222", "nats://[::1]:4222"),
        ],
    )
    def test_a_url_is_shown_without_its_credentials(self, url: str, shown: str) -> None:
        assert redacted_url(url) == shown

    def test_credentials_are_left_out_of_a_url_without_a_scheme(self) -> None:
        assert "hunter2" not in redacted_url("user:hunter2@host:4222")

    @pytest.mark.parametrize("url", ["nats://[bad", "", ",", "nats://user:hunter2@[bad", "::::"])
    def test_a_url_that_makes_no_sense_can_be_shown_all_the_same(self, url: str) -> None:
        assert "hunter2" not in redacted_url(url)


@pytest.mark.parametrize("key", ["minutes_for", "hours_for"])
def test_rollups_that_would_be_gone_before_they_are_put_together_are_refused(key: str) -> None:
    with pytest.raises(ConfigError, match=f"statistics.{key}"):
        NAQConfig.load(environ={}, arguments={f"statistics.{key}": 3600})
