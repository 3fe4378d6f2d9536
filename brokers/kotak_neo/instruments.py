"""Read Kotak's contract masters: index options of NSE and BSE, and the indices below them."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from app.domain.errors import AppError, BrokerError, ProtocolError, UnavailableError
from app.domain.instruments import (
    Instrument,
    InstrumentKind,
    OptionRight,
    OptionTerms,
    Venue,
    index_id,
    option_id,
)
from brokers.kotak_neo.client import NeoClient
from brokers.kotak_neo.egress import Lane
from brokers.kotak_neo.errors import reason_text
from brokers.kotak_neo.mapping import IST

_TIMEOUT_S = 30.0
# Some files count expiries in seconds from 1980-01-01 00:00 IST (brokers.md 1.9).
_EPOCH_1980_S = int(datetime(1980, 1, 1, tzinfo=IST).timestamp())
_HUNDRED = Decimal(100)
_DATED_PATH = re.compile(r"/(\d{4}-\d{2}-\d{2})/")
_RIGHTS = {"CE": OptionRight.CALL, "PE": OptionRight.PUT}
_NEEDED = ("pInstType", "pSymbolName", "pOptionType", "pTrdSymbol", "pSymbol", "lExpiryDate")
# Indices are published with two decimals and have no tick of their own.
_INDEX_STEP = Decimal("0.01")

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Say how one derivatives file is to be read.

    `indices` maps the names of underlyings to those under which SFeed takes index subscriptions;
    `index_options` is the type of their options, None where any option on a known index counts.
    """

    code: str
    venue: Venue
    cash: str
    expiry_offset_s: int
    index_options: str | None
    indices: Mapping[str, str]


NSE_FO = Segment(
    code="nse_fo",
    venue=Venue.NSE,
    cash="nse_cm",
    expiry_offset_s=_EPOCH_1980_S,
    index_options="OPTIDX",
    indices={
        "NIFTY": "Nifty 50",
        "BANKNIFTY": "Nifty Bank",
        "FINNIFTY": "Nifty Fin Service",
        "MIDCPNIFTY": "NIFTY MID SELECT",
    },
)
BSE_FO = Segment(
    code="bse_fo",
    venue=Venue.BSE,
    cash="bse_cm",
    expiry_offset_s=0,
    index_options=None,
    indices={"SENSEX": "SENSEX", "BANKEX": "BANKEX"},
)
SEGMENTS = (NSE_FO, BSE_FO)
# Files that hold nothing the domain has a word for, so they are not fetched.
WITHOUT_WORDS = {
    "nse_cm": "shares (its indices come with their options)",
    "bse_cm": "shares (its indices come with their options)",
    "mcx_fo": "commodity futures and options, and no venue MCX",
    "cde_fo": "currency derivatives",
    "nse_com": "commodities of NSE",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractMaster:
    """Hold a day's instruments, and the tally of what was left out and why.

    `passed_over` counts rows by "segment type right"; `missing` tells the reason for each file that
    could not be read.
    """

    instruments: tuple[Instrument, ...]
    passed_over: Mapping[str, int] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)


def download_master(client: NeoClient, day: date) -> ContractMaster:
    """Fetch the day's derivatives files and return their index options with the indices.

    `search_scrip` of the SDK is not used: it bypasses the account's transport and writes below the
    home directory. Whoever trades at NSE shall not wait for the file of BSE: its absence is told in
    `missing`.

    Raises:
        UnavailableError: not reachable, or NSE's file is not this day's yet.
        ProtocolError: the list of files or NSE's file cannot be read.
    """
    paths = _file_paths(client)
    nse = _download(client, paths, segment=NSE_FO, day=day)
    try:
        bse = _download(client, paths, segment=BSE_FO, day=day)
    except BrokerError as e:
        return ContractMaster(
            instruments=nse.instruments, passed_over=nse.passed_over, missing={BSE_FO.code: str(e)}
        )
    return ContractMaster(
        instruments=(*nse.instruments, *bse.instruments), passed_over={**nse.passed_over, **bse.passed_over}
    )


def parse_master(text: str, segment: Segment) -> ContractMaster:
    """Return the index options of a derivatives file with their indices; other rows are counted.

    Stock options settle in shares, futures and shares have no word in the domain.
    Source: brokers.md 1.9: prices are in paise, a column name ends in a blank, another in a semicolon.

    Raises:
        ProtocolError: the file is none, or an index option in it cannot be read.
    """
    reader = csv.DictReader(io.StringIO(text))
    try:
        reader.fieldnames = [name.strip(" ;\ufeff") for name in reader.fieldnames or ()]
        lacking = [name for name in _NEEDED if name not in reader.fieldnames]
        if lacking:
            raise ProtocolError(f"contract master {segment.code}: expected column {lacking[0]}, found none")
        passed_over: Counter[str] = Counter()
        options = tuple(_options(reader, segment, passed_over))
    except csv.Error as e:
        raise ProtocolError(f"contract master {segment.code}: expected a CSV file, got {e}") from e
    if not options and segment is NSE_FO:
        raise ProtocolError("contract master: expected index options, found none")
    names = {option.option.underlying for option in options if option.option is not None}
    indices = tuple(
        _index(name, symbol, segment)
        for name, symbol in segment.indices.items()
        if index_id(name, segment.venue) in names
    )
    return ContractMaster(instruments=(*indices, *options), passed_over=dict(passed_over))


def _file_paths(client: NeoClient) -> Sequence[object]:
    reply = client.call("scrip_master", lane=Lane.READS, timeout_s=_TIMEOUT_S)
    if reply.wire.status is None or reply.wire.status >= 500:
        raise UnavailableError(f"contract master: no list of files ({reason_text(reply)})")
    paths = reply.value.get("filesPaths") if isinstance(reply.value, Mapping) else None
    if not isinstance(paths, Sequence) or isinstance(paths, str):
        raise ProtocolError(f"contract master: expected filesPaths, got {reason_text(reply)}")
    return paths


def _download(client: NeoClient, paths: Sequence[object], *, segment: Segment, day: date) -> ContractMaster:
    url = _file_url(paths, segment, day)
    content, reply = client.download(url, timeout_s=_TIMEOUT_S)
    if content is None or reply.wire.status != 200:
        raise UnavailableError(f"contract master {segment.code}: expected HTTP 200, got {reply.wire.status}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise ProtocolError(f"contract master {segment.code}: expected UTF-8, got {e.reason}") from e
    return parse_master(text, segment)


def _file_url(paths: Sequence[object], segment: Segment, day: date) -> str:
    name = f"{segment.code}.csv"
    url = next((str(path) for path in paths if str(path).endswith(f"/{name}")), None)
    if url is None:
        raise ProtocolError(f"contract master: expected a file {name} among {len(paths)}, found none")
    dated = _DATED_PATH.search(url)
    if dated is not None and dated[1] != day.isoformat():
        raise UnavailableError(f"contract master: expected the file of {day}, the broker has {dated[1]}")
    return url


def _options(
    rows: Iterator[dict[str, str]], segment: Segment, passed_over: Counter[str]
) -> Iterator[Instrument]:
    for number, row in enumerate(rows, start=2):
        kind, right = ((row.get(name) or "").strip() for name in ("pInstType", "pOptionType"))
        if not _is_index_option(row, segment):
            passed_over[f"{segment.code} {kind} {right}".rstrip()] += 1
            continue
        try:
            yield _option(row, segment)
        except (
            KeyError,
            AttributeError,
            ValueError,
            InvalidOperation,
            OverflowError,
            OSError,
            AppError,
        ) as e:
            raise ProtocolError(f"contract master, line {number}: {type(e).__name__} {e}") from e


def _is_index_option(row: Row, segment: Segment) -> bool:
    if segment.index_options is not None:
        return (row.get("pInstType") or "").strip() == segment.index_options
    right, name = row.get("pOptionType") or "", row.get("pSymbolName") or ""
    return right.strip() in _RIGHTS and name.strip() in segment.indices


def _option(row: Row, segment: Segment) -> Instrument:
    underlying, right = row["pSymbolName"].strip(), _RIGHTS[row["pOptionType"].strip()]
    if not underlying or not row["pTrdSymbol"].strip() or not row["pSymbol"].strip():
        raise ValueError("pSymbolName pTrdSymbol pSymbol: expected text, got none")
    strike = _number(row, "dStrikePrice") / _HUNDRED
    if strike <= 0:
        raise ValueError(f"dStrikePrice: expected a positive number, got {row['dStrikePrice']!r}")
    strike = strike.to_integral_value() if strike % 1 == 0 else strike
    expiry = _expiry(row, segment)
    if row["pExchSeg"].strip() != segment.code:
        raise ValueError(f"pExchSeg: expected {segment.code}, got {row['pExchSeg']!r}")
    venue = segment.venue
    return Instrument(
        instrument_id=option_id(underlying, expiry=expiry, strike=strike, right=right, venue=venue),
        venue=venue,
        kind=InstrumentKind.OPTION,
        segment=segment.code,
        broker_symbol=row["pTrdSymbol"].strip(),
        broker_token=row["pSymbol"].strip(),
        tick_size=_number(row, "dTickSize") / _HUNDRED,
        lot_size=_number(row, "lLotSize"),
        freeze_qty=max(_number(row, "lFreezeQty"), Decimal(0)),
        option=OptionTerms(underlying=index_id(underlying, venue), expiry=expiry, strike=strike, right=right),
    )


def _number(row: Row, name: str) -> Decimal:
    number = Decimal(row[name].strip(" ;"))
    if not number.is_finite():
        raise ValueError(f"{name}: expected a finite number, got {row[name]!r}")
    return number


def _expiry(row: Row, segment: Segment) -> date:
    """Return the day of expiry at the exchange.

    The files of BSE and MCX count plain Unix seconds, and nobody says of which time of day: a moment
    that is another day in UTC than in India could be meant either way, and is not guessed.
    """
    moment = datetime.fromtimestamp(int(row["lExpiryDate"]) + segment.expiry_offset_s, UTC)
    expiry = moment.astimezone(IST).date()
    if segment.expiry_offset_s == 0 and expiry != moment.date():
        raise ValueError(f"lExpiryDate: expected one day, got {moment:%Y-%m-%d %H:%M}Z, in India {expiry}")
    return expiry


def _index(name: str, symbol: str, segment: Segment) -> Instrument:
    return Instrument(
        instrument_id=index_id(name, segment.venue),
        venue=segment.venue,
        kind=InstrumentKind.INDEX,
        segment=segment.cash,
        broker_symbol=symbol,
        broker_token=symbol,
        tick_size=_INDEX_STEP,
        lot_size=Decimal(1),
    )
