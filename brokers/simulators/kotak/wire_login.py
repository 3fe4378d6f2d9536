"""Serve login in two steps, the config service and the caller's address."""

import asyncio

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from brokers.simulators.kotak.accounts import Account, Session
from brokers.simulators.kotak.gate import Call, route
from brokers.simulators.kotak.replies import Dropped, Refused, login_error
from brokers.simulators.kotak.simulator import Simulator

DATA_CENTER = "E43"
_SOURCE = "ks"
_HANG_STEP_S = 0.25
_LONGEST_HANG_S = 120.0


def login_routes(sim: Simulator) -> list[Route]:
    """Return the routes of the session host."""
    return [
        route(sim, "POST", "/login/1.0/tradeApiLogin", "login", _login),
        route(sim, "POST", "/login/1.0/tradeApiValidate", "validate", _validate),
        route(sim, "GET", "/5config/config", "config", _config),
        route(sim, "GET", "/login/1.0/get-client-ip", "client_ip", _client_ip),
    ]


async def _login(call: Call) -> Response:
    body = call.json_body()
    faulty = await _login_fault(call)
    if faulty is not None:
        return faulty
    if not call.header("neo-fin-key"):
        raise Refused(100008, "unauthorized", 403)
    account = call.sim.accounts.by_ucc.get(body.get("ucc", ""))
    if account is None or account.consumer_key != call.header("authorization"):
        raise Refused(100008, "unauthorized", 403)
    if account.mobile != body.get("mobileNumber"):
        return login_error("10522", "Invalid mobile number or UCC")
    if not call.sim.accounts.use_totp(account, body.get("totp", "")):
        return login_error("10525", "Invalid TOTP")
    session = call.sim.accounts.open_session(account, "View", call.source)
    return JSONResponse({"data": _session_data(account, session)})


async def _login_fault(call: Call) -> Response | None:
    account = call.sim.accounts.by_ucc.get(call.ucc)
    if account is not None and account.login_error:
        return login_error("10500", "Login service is busy, please try again")
    if account is not None and account.login_hang:
        await _hang(account)
    faults = call.sim.faults
    slow = faults.draw("login_slow", "login", call.ucc)
    if slow is not None:
        await asyncio.sleep(slow.seconds)
    hang = faults.draw("login_hang", "login", call.ucc)
    if hang is not None:
        await asyncio.sleep(hang.seconds)
        raise Dropped("login hung until it was cut")
    if faults.draw("login_null", "login", call.ucc):
        return JSONResponse({"data": None, "status": "success"})
    if faults.draw("totp_refused", "login", call.ucc):
        return login_error("10525", "Invalid TOTP")
    if faults.draw("login_fail", "login", call.ucc):
        return login_error("10500", "Login service is busy, please try again")
    return None


async def _hang(account: Account) -> None:
    waited = 0.0
    while account.login_hang and waited < _LONGEST_HANG_S:
        await asyncio.sleep(_HANG_STEP_S)
        waited += _HANG_STEP_S
    raise Dropped("login hung until it was cut")


async def _validate(call: Call) -> Response:
    session = call.sim.accounts.find_session(call.header("auth"), call.header("sid"))
    if session is None or session.kind != "View":
        raise Refused(100022, "invalid session token", 403)
    account = call.sim.accounts.by_ucc[session.ucc]
    if account.consumer_key != call.header("authorization"):
        raise Refused(100008, "unauthorized", 403)
    if call.json_body().get("mpin") != account.mpin:
        return login_error("10526", "Invalid MPIN")
    trade = call.sim.accounts.open_session(account, "Trade", call.source)
    base = call.sim.options.base_url
    urls = {"baseUrl": base, "feedUrl": f"{base}/apifeed", "rtUrl": f"{base}/realtime"}
    return JSONResponse({"data": _session_data(account, trade) | urls})


def _session_data(account: Account, session: Session) -> dict[str, object]:
    return {
        "token": session.token,
        "sid": session.sid,
        "rid": session.rid,
        "hsServerId": "",
        "isUserPwdExpired": False,
        "ucc": account.ucc,
        "greetingName": account.ucc,
        "isTrialAccount": False,
        "dataCenter": DATA_CENTER,
        "searchAPIKey": "",
        "derivativesRiskDisclosure": "",
        "mfAccess": 1,
        "dataCenterMap": None,
        "dormancyStatus": "A",
        "asbaStatus": "",
        "clientType": "RI",
        "isNRI": False,
        "kId": "XXXXX0000X",
        "kType": session.kind,
        "status": "success",
        "incRange": 0,
        "incUpdFlag": "",
        "clientGroup": "",
        "kraStatus": "Y",
        "rcFlag": 0,
    }


async def _config(call: Call) -> Response:
    base = call.sim.options.base_url
    configs = {
        f"{DATA_CENTER}_broadcast_source": _SOURCE,
        f"{DATA_CENTER}_{_SOURCE}_broadcast_endpoint": f"{base}/apifeed",
        f"{DATA_CENTER}_{_SOURCE}_interactive_endpoint": f"{base}/realtime",
    }
    return JSONResponse({"status": "success", "data": {"configs": configs}})


async def _client_ip(call: Call) -> Response:
    call.trade_session()
    row = {"ip": call.source, "time": call.sim.clock.now().isoformat()}
    return JSONResponse({"data": [row], "stCode": 1000, "status": "success"})
