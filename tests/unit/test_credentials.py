"""Secrets are told by their names, and addresses lose who asks."""

import pytest

from prefsweep.credentials import given, is_secret, redacted, without_secrets

SECRETS = (
    "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "MODELSCOPE_API_TOKEN", "WANDB_API_KEY", "OPENAI_API_KEY", "JUDGE_KEY",
    "VLLM_API_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "PGPASSWORD", "MLFLOW_TRACKING_PASSWORD",
    "GOOGLE_APPLICATION_CREDENTIALS", "api_key", "SOME_APIKEY",
)  # fmt: skip
OTHERS = ("PATH", "HOME", "TOKENIZERS_PARALLELISM", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "KEYBOARD", "HF_HOME")


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", OTHERS)
def test_no_secret(name: str) -> None:
    assert not is_secret(name)


def test_what_a_program_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "canary")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    assert "HF_TOKEN" not in without_secrets()
    assert "PATH" in without_secrets()
    assert given(["HF_TOKEN", "WANDB_API_KEY"]) == {"HF_TOKEN": "canary"}


def test_addresses_without_who_asks() -> None:
    said = "https://me:secret@mirror.example/a@b did not answer; ssh://host/x, me@mail.example"
    assert redacted(said) == "https://***@mirror.example/a@b did not answer; ssh://host/x, me@mail.example"
    assert redacted("https://me:se@cr@et@mirror.example/simple") == "https://***@mirror.example/simple"
    assert redacted("http://a:b@one,http://c:d@two") == "http://***@one,http://***@two"
