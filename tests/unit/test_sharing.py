"""How a worker shares its slots: what cannot be meant is refused with a way out."""

from __future__ import annotations

import re

import pytest

from naq_runtime import get_config
from naq_runtime.errors import ConfigError
from naq_runtime.worker.sharing import sharing_of


def test_a_weight_where_none_counts_is_refused_with_the_setting_that_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"queue mail has a weight.*worker\.queue_order") as caught:
        sharing_of("fair", {"mail": 3, "default": 1})

    named = re.search(r"NAQ_\w+", str(caught.value))
    assert named is not None
    monkeypatch.setenv(named[0], "weighted")
    assert get_config().worker.queue_order == "weighted"
