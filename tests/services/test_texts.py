from __future__ import annotations

import pytest

from gateway.services.texts import duration_text


@pytest.mark.parametrize(
    ("duration", "said"),
    [
        ("PT4M30S", "4 min 30 s"),
        ("PT90M", "1 h 30 min"),
        ("PT3600S", "1 h"),
        ("PT12.50S", "12.5 s"),
        ("PT61.9S", "1 min 1 s"),
        ("PT0S", "0 s"),
        ("PT0.25S", "0.25 s"),
        ("P1DT2H", "P1DT2H"),
        ("PT", "PT"),
        ("soon", "soon"),
        ("PT" + "9" * 400 + "S", "PT" + "9" * 400 + "S"),
    ],
)
def test_a_duration_is_said_as_people_say_it(duration: str, said: str) -> None:
    assert duration_text(duration) == said
