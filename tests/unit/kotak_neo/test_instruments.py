"""The contract master is read as Kotak writes it, odd column names included."""

from datetime import date
from decimal import Decimal

import pytest

from app.domain.errors import ProtocolError
from brokers.kotak_neo.instruments import parse_instruments

HEADER = (
    "pSymbol,pExchSeg,pInstType,pSymbolName,pTrdSymbol,pOptionType,dTickSize ,lLotSize,lExpiryDate,"
    "dStrikePrice;,lFreezeQty"
)
# 2026-02-03 14:30 IST in seconds since 1980-01-01 00:00 IST.
OPTION = "40041,nse_fo,OPTIDX,NIFTY,NIFTY2620326500CE,CE,5,65,1454596200,2650000.0,1801"
FUTURE = "40042,nse_fo,FUTIDX,NIFTY,NIFTY26FEBFUT,XX,10,65,1454596200,-1.0,1801"


def _file(*rows: str) -> str:
    return "\n".join((HEADER, *rows)) + "\n"


def test_paise_odd_names_and_the_1980_epoch_are_understood() -> None:
    index, option = parse_instruments(_file(OPTION, FUTURE))

    assert index.instrument_id == "NIFTY.NSE"
    assert (index.broker_symbol, index.segment) == ("Nifty 50", "nse_cm")
    assert option.instrument_id == "NIFTY-20260203-26500-CE.NSE"
    assert (option.tick_size, option.lot_size) == (Decimal("0.05"), Decimal(65))
    assert option.max_order_qty == Decimal(1755)
    assert option.option is not None
    assert (option.option.strike, option.option.expiry) == (Decimal(26500), date(2026, 2, 3))


@pytest.mark.parametrize(
    "row",
    [
        OPTION.replace(",CE,", ",XX,"),
        OPTION.replace("nse_fo", "nse_cm"),
        OPTION.replace(",5,65,", ",0,65,"),
        OPTION.replace(",5,65,", ",5,,"),
        OPTION.replace("1454596200", "soon"),
        OPTION.replace("2650000.0", "NaN"),
        "40041,nse_fo,OPTIDX,NIFTY",
    ],
)
def test_an_option_that_cannot_be_read_is_named_by_its_line(row: str) -> None:
    with pytest.raises(ProtocolError, match="line 3"):
        parse_instruments(_file(OPTION, row))


@pytest.mark.parametrize("text", ["", HEADER, _file(FUTURE), "<html></html>"])
def test_a_file_without_options_is_no_contract_master(text: str) -> None:
    with pytest.raises(ProtocolError, match="found none"):
        parse_instruments(text)
