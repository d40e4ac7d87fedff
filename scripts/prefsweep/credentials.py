"""Secrets in the environment: what is taken for one, and that an engine gets only what it is handed by name."""

import os
import re
from collections.abc import Iterable, Mapping

_NAMED_LIKE_ONE = re.compile(
    r"(?:^|_)(?:TOKEN|KEY|SECRET|PASSPHRASE|CREDENTIALS?)(?:_|$)|PASSW(?:OR)?D|APIKEY", re.IGNORECASE
)
_USER_IN_ADDRESS = re.compile(r"(:/{1,2})[^/\s]+@")
"""One slash where the address was taken for a path; to the last @ before the path, because passwords may have some."""


def is_secret(name: str) -> bool:
    """Whether an environment variable is a secret by its name: HF_TOKEN, WANDB_API_KEY, AWS_SECRET_ACCESS_KEY, …"""
    return bool(_NAMED_LIKE_ONE.search(name))


def without_secrets(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """This process's environment for a program that needs none of its secrets; or another's."""
    return {name: value for name, value in environment.items() if not is_secret(name)}


def given(names: Iterable[str]) -> dict[str, str]:
    """Those of the variables that the caller has set, for a program that needs them."""
    return {name: os.environ[name] for name in names if name in os.environ}


def redacted(text: str) -> str:
    """The text with `***` for user and password of each address in it, as a mirror or a proxy may have them."""
    return _USER_IN_ADDRESS.sub(r"\1***@", text)
