"""The contract master is read as Kotak writes it, odd column names included."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import ProtocolError
from brokers.kotak_neo.instruments import BSE_FO, NSE_FO, ContractMaster, Segment, parse_master

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
    master = parse_master(_file(OPTION, FUTURE), NSE_FO)
    index, option = master.instruments

    assert index.instrument_id == "NIFTY.NSE"
    assert (index.broker_symbol, index.segment) == ("Nifty 50", "nse_cm")
    assert option.instrument_id == "NIFTY-20260203-26500-CE.NSE"
    assert (option.tick_size, option.lot_size) == (Decimal("0.05"), Decimal(65))
    assert option.max_order_qty == Decimal(1755)
    assert option.option is not None
    assert (option.option.strike, option.option.expiry) == (Decimal(26500), date(2026, 2, 3))
    assert master.passed_over == {"nse_fo FUTIDX XX": 1}


@pytest.mark.parametrize(
    "row",
    [
        OPTION.replace(",CE,", ",XX,"),
        OPTION.replace("nse_fo", "nse_cm"),
        OPTION.replace(",5,65,", ",0,65,"),
        OPTION.replace(",5,65,", ",5,,"),
        OPTION.replace("1454596200", "soon"),
        OPTION.replace("2650000.0", "NaN"),
        OPTION.replace("1454596200", "9" * 18),
        OPTION.replace(",5,65,", ",5,Infinity,"),
        OPTION.replace("NIFTY2620326500CE", " "),
        "40041,nse_fo,OPTIDX,NIFTY",
    ],
)
def test_an_option_that_cannot_be_read_is_named_by_its_line(row: str) -> None:
    with pytest.raises(ProtocolError, match="line 3"):
        parse_master(_file(OPTION, row), NSE_FO)


@pytest.mark.parametrize("text", ["", HEADER, _file(FUTURE), "<html></html>"])
def test_a_file_without_options_is_no_contract_master(text: str) -> None:
    with pytest.raises(ProtocolError, match="found none"):
        parse_master(text, NSE_FO)


# 2026-02-05 10:00 UTC, plain Unix seconds.
SENSEX = "875001,bse_fo,IO,SENSEX,SENSEX2620585000PE,PE,5,20,1770285600,8500000.0,1000"


def test_an_option_of_bse_counts_plain_seconds_and_belongs_to_its_venue() -> None:
    stock = SENSEX.replace("IO,SENSEX", "SO,RELIANCE")
    future = SENSEX.replace(",PE,", ",XX,")

    master = parse_master(_file(SENSEX, stock, future), BSE_FO)

    index, option = master.instruments
    assert (index.instrument_id, index.segment) == ("SENSEX.BSE", "bse_cm")
    assert option.instrument_id == "SENSEX-20260205-85000-PE.BSE"
    assert (option.venue, option.segment, option.freeze_qty) == ("BSE", "bse_fo", Decimal(1000))
    assert option.option is not None
    assert option.option.underlying == "SENSEX.BSE"
    assert master.passed_over == {"bse_fo SO PE": 1, "bse_fo IO XX": 1}


def test_an_expiry_that_could_be_two_days_is_not_guessed() -> None:
    evening = SENSEX.replace("1770285600", "1770318000")  # 19:00 UTC, in India the next day

    with pytest.raises(ProtocolError, match="lExpiryDate"):
        parse_master(_file(evening), BSE_FO)


def test_bse_may_have_no_options_today() -> None:
    assert parse_master(HEADER, BSE_FO).instruments == ()


@pytest.mark.parametrize("text", ["", "<html></html>", "pSymbol,pInstType\n"])
def test_what_is_no_contract_master_is_no_empty_one(text: str) -> None:
    with pytest.raises(ProtocolError, match="found none"):
        parse_master(text, BSE_FO)


CELLS = st.one_of(
    st.text(st.characters(exclude_characters=',\n\r"'), max_size=8),
    st.sampled_from(
        ["OPTIDX", "CE", "NIFTY", "SENSEX", "nse_fo", "bse_fo", "NaN", "-1", "1e400", "1770285600"]
    ),
)


@given(st.sampled_from([NSE_FO, BSE_FO]), st.lists(CELLS, max_size=12), st.sampled_from([OPTION, SENSEX]))
def test_any_row_gives_instruments_or_a_typed_error(segment: Segment, cells: list[str], good: str) -> None:
    fields = good.split(",")
    damaged = [cell or kept for cell, kept in zip(cells, fields, strict=False)] + fields[len(cells) :]
    try:
        master = parse_master(_file(",".join(damaged)), segment)
    except ProtocolError:
        return
    for instrument in master.instruments:
        assert instrument.lot_size.is_finite()
        assert instrument.tick_size.is_finite()


@given(st.text(max_size=60))
def test_any_text_gives_a_master_or_a_typed_error(text: str) -> None:
    try:
        master = parse_master(f"{HEADER}\n{text}", BSE_FO)
    except ProtocolError:
        return
    assert isinstance(master, ContractMaster)
