"""Read Kotak's contract master: index options, and the indices below them."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from app.domain.errors import AppError, ProtocolError, UnavailableError
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

SEGMENT = "nse_fo"
_TIMEOUT_S = 30.0
# nse_fo counts expiries in seconds from 1980-01-01 00:00 IST (brokers.md 1.9).
_EPOCH_1980_S = int(datetime(1980, 1, 1, tzinfo=IST).timestamp())
_HUNDRED = Decimal(100)
_DATED_PATH = re.compile(r"/(\d{4}-\d{2}-\d{2})/")
_RIGHTS = {"CE": OptionRight.CALL, "PE": OptionRight.PUT}
# Names under which SFeed takes index subscriptions.
_INDICES = {
    "NIFTY": "Nifty 50",
    "BANKNIFTY": "Nifty Bank",
    "FINNIFTY": "Nifty Fin Service",
    "MIDCPNIFTY": "NIFTY MID SELECT",
}
# Indices are published with two decimals and have no tick of their own.
_INDEX_STEP = Decimal("0.01")


def download_instruments(client: NeoClient, day: date) -> tuple[Instrument, ...]:
    """Fetch the day's derivatives file and return its index options with their indices.

    `search_scrip` of the SDK is not used: it bypasses the account's transport and writes below the
    home directory.

    Raises:
        UnavailableError: not reachable, or the file is not this day's yet.
        ProtocolError: the reply or the file cannot be read.
    """
    url = _file_url(client, day)
    content, reply = client.download(url, timeout_s=_TIMEOUT_S)
    if content is None or reply.wire.status != 200:
        raise UnavailableError(f"contract master: expected HTTP 200, got {reply.wire.status}")
    return parse_instruments(content.decode("utf-8-sig"))


def parse_instruments(text: str) -> tuple[Instrument, ...]:
    """Return the instruments of a derivatives file; rows of other kinds than index options are passed over.

    Source: brokers.md 1.9: prices are in paise, a column name ends in a blank, another in a semicolon.
    """
    reader = csv.DictReader(io.StringIO(text))
    reader.fieldnames = [name.strip(" ;\ufeff") for name in reader.fieldnames or ()]
    options = tuple(_options(reader))
    if not options:
        raise ProtocolError("contract master: expected index options, found none")
    names = {option.option.underlying for option in options if option.option is not None}
    indices = tuple(_index(name, symbol) for name, symbol in _INDICES.items() if index_id(name) in names)
    return (*indices, *options)


def _file_url(client: NeoClient, day: date) -> str:
    reply = client.call("scrip_master", lane=Lane.READS, timeout_s=_TIMEOUT_S)
    if reply.wire.status is None or reply.wire.status >= 500:
        raise UnavailableError(f"contract master: no list of files ({reason_text(reply)})")
    paths = reply.value.get("filesPaths") if isinstance(reply.value, Mapping) else None
    if not isinstance(paths, Sequence) or isinstance(paths, str):
        raise ProtocolError(f"contract master: expected filesPaths, got {reason_text(reply)}")
    url = next((path for path in paths if str(path).endswith(f"/{SEGMENT}.csv")), None)
    if url is None:
        raise ProtocolError(f"contract master: expected a file {SEGMENT}.csv among {len(paths)}, found none")
    dated = _DATED_PATH.search(url)
    if dated is not None and dated[1] != day.isoformat():
        raise UnavailableError(f"contract master: expected the file of {day}, the broker has {dated[1]}")
    return str(url)


def _options(rows: Iterator[dict[str, str]]) -> Iterator[Instrument]:
    for number, row in enumerate(rows, start=2):
        if (row.get("pInstType") or "").strip() != "OPTIDX":
            continue
        try:
            yield _option(row)
        except (KeyError, AttributeError, ValueError, InvalidOperation, OverflowError, AppError) as e:
            raise ProtocolError(f"contract master, line {number}: {type(e).__name__} {e}") from e


def _option(row: dict[str, str]) -> Instrument:
    underlying, right = row["pSymbolName"].strip(), _RIGHTS[row["pOptionType"].strip()]
    strike = Decimal(row["dStrikePrice"].strip(" ;")) / _HUNDRED
    if not strike.is_finite() or strike <= 0:
        raise ValueError(f"dStrikePrice: expected a positive number, got {row['dStrikePrice']!r}")
    strike = strike.to_integral_value() if strike % 1 == 0 else strike
    moment = datetime.fromtimestamp(int(row["lExpiryDate"]) + _EPOCH_1980_S, UTC)
    expiry = moment.astimezone(IST).date()
    if row["pExchSeg"].strip() != SEGMENT:
        raise ValueError(f"pExchSeg: expected {SEGMENT}, got {row['pExchSeg']!r}")
    return Instrument(
        instrument_id=option_id(underlying, expiry=expiry, strike=strike, right=right),
        venue=Venue.NSE,
        kind=InstrumentKind.OPTION,
        segment=SEGMENT,
        broker_symbol=row["pTrdSymbol"].strip(),
        broker_token=row["pSymbol"].strip(),
        tick_size=Decimal(row["dTickSize"].strip()) / _HUNDRED,
        lot_size=Decimal(row["lLotSize"].strip()),
        freeze_qty=max(Decimal(row["lFreezeQty"].strip()), Decimal(0)),
        option=OptionTerms(underlying=index_id(underlying), expiry=expiry, strike=strike, right=right),
    )


def _index(name: str, symbol: str) -> Instrument:
    return Instrument(
        instrument_id=index_id(name),
        venue=Venue.NSE,
        kind=InstrumentKind.INDEX,
        segment="nse_cm",
        broker_symbol=symbol,
        broker_token=symbol,
        tick_size=_INDEX_STEP,
        lot_size=Decimal(1),
    )
