"""Check whether the Hugging Face hub is within reach, and whether it accepts a token."""

from __future__ import annotations

from k2eval.sandbox import DoctorRow

HUB_S = 5.0
"""Seconds that the hub has to answer."""


def hub_row(timeout_s: float = HUB_S) -> DoctorRow:
    """Ask the hub who the token belongs to; without a network this is no failure, for data may lie here."""
    import httpx
    from huggingface_hub import constants, get_token

    if constants.HF_HUB_OFFLINE:
        return DoctorRow(
            "hub", True, "switched off by HF_HUB_OFFLINE; only what lies here is used", "", is_absent=True
        )
    token = get_token()
    headers = {"authorization": f"Bearer {token}"} if token else {}
    url = f"{constants.ENDPOINT}/api/" + ("whoami-v2" if token else "datasets?limit=1")
    try:
        answer = httpx.get(url, headers=headers, timeout=timeout_s, follow_redirects=True)
    except httpx.HTTPError as error:
        detail = (
            f"{constants.ENDPOINT} is out of reach ({type(error).__name__}); only what lies here can be used"
        )
        return DoctorRow("hub", True, detail, "", is_absent=True)
    if token and answer.status_code in (401, 403):
        remedy = "Log in anew: `hf auth login`, or correct HF_TOKEN."
        return DoctorRow("hub", False, "the hub refuses the token", remedy)
    if answer.is_error:
        detail = f"{constants.ENDPOINT} answered with status {answer.status_code}"
        return DoctorRow("hub", True, detail, "")
    if not token:
        return DoctorRow("hub", True, "within reach; no token, so gated data sets are closed", "")
    return DoctorRow(
        "hub", True, f"within reach; the token is that of {answer.json().get('name', 'somebody')}", ""
    )
