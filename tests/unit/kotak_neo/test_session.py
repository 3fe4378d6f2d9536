"""The code of a window is the authenticator's, and a wrong secret is told as such."""

from datetime import UTC, datetime

import pytest

from app.domain.accounts import LoginReason
from app.domain.errors import LoginRefusedError
from app.domain.ports import Credentials
from brokers.kotak_neo.session import CREDENTIAL_FIELDS, checked_fields, totp_code, totp_window

RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


@pytest.mark.parametrize(
    ("seconds", "code"),
    # RFC 6238, appendix B, the last six of eight digits.
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037")],
)
def test_codes_are_those_of_the_standard(seconds: int, code: str) -> None:
    assert totp_code(RFC_SECRET, datetime.fromtimestamp(seconds, UTC)) == code


def test_short_spaced_lower_case_secrets_work_too() -> None:
    at = datetime.fromtimestamp(59, UTC)

    assert totp_code("jbsw y3dp ehpk 3pxp", at) == totp_code("JBSWY3DPEHPK3PXP", at) == "996554"


def test_a_window_lasts_thirty_seconds() -> None:
    moments = [
        datetime.fromtimestamp(seconds, UTC) for seconds in (1_546_400_999, 1_546_401_000, 1_546_401_029)
    ]
    windows = [totp_window(moment) for moment in moments]

    assert windows[0] + 1 == windows[1] == windows[2]


def test_a_secret_that_is_not_base32_is_a_bad_totp() -> None:
    with pytest.raises(LoginRefusedError) as caught:
        totp_code("0189", datetime.fromtimestamp(59, UTC))

    assert caught.value.reason == LoginReason.BAD_TOTP
    assert "0189" not in str(caught.value)


def test_missing_fields_are_named() -> None:
    with pytest.raises(LoginRefusedError, match="mpin") as caught:
        checked_fields(Credentials(fields=dict.fromkeys(CREDENTIAL_FIELDS, "x") | {"mpin": ""}))

    assert caught.value.reason == LoginReason.NO_CREDENTIALS
