import { expect, it } from 'vitest';

import {
  formatAge,
  formatAmount,
  formatInstrument,
  formatMoment,
  formatMoney,
  formatPnl,
  formatPrice,
  formatTime,
  signOf,
} from './format';

it('writes profit with a sign that does not depend on colour', () => {
  const amounts = ['1234567.4', '-5338.125', '0', null];

  expect(amounts.map((amount) => formatPnl(amount, 'INR'))).toEqual(['+12,34,567', '−5,338', '0', '–']);
});

it.each([
  ['1234567.4', 'INR', '+₹12,34,567'],
  ['-5338.125', 'INR', '−₹5,338'],
  ['0', 'INR', '₹0'],
  ['-12.3', 'USD', '−$12.30'],
  ['999.99', 'USD', '+$999.99'],
  ['-1234567.89', 'USD', '−$1,234,568'],
  ['0.2382', 'USDT', '+0.24 USDT'],
  ['1000', 'USDT', '+1,000 USDT'],
  ['0', 'USDT', '0.00 USDT'],
  [null, 'USDT', '–'],
] as const)('writes %s %s as %s', (amount, currency, text) => {
  expect(formatMoney(amount, currency)).toBe(text);
});

it.each([
  ['142.2', 'NIFTY-20261124-26050-CE.NSE', '142.20'],
  ['142.3333333333333333', 'NIFTY-20261124-26050-CE.NSE', '142.33'],
  ['2605000', 'NIFTY.NSE', '26,05,000.00'],
  ['1.0852', 'EURUSD.MT5', '1.08520'],
  ['1.0852333333333333', 'EURUSD.MT5', '1.08523'],
  ['157.123', 'USDJPY.MT5', '157.123'],
  ['97476.2', 'BTCUSDT.BINANCE', '97,476.20'],
  ['123456.78', 'BTCUSDT.BINANCE', '123,456.78'],
  ['97476.2333333333333333', 'BTCUSDT.BINANCE', '97,476.233'],
  ['0.38512', 'DOGEUSDT.BINANCE', '0.38512'],
  ['0.00000812', 'PEPEUSDT.BINANCE', '0.00000812'],
])('writes the price %s of %s as %s', (price, instrument, text) => {
  expect(formatPrice(price, instrument)).toBe(text);
});

it('never loses digits of money to floating point', () => {
  for (const instrument of ['NIFTY.NSE', 'BTCUSDT.BINANCE', 'EURUSD.MT5']) {
    const text = formatPrice('9007199254740993.05', instrument);
    expect(text.replaceAll(',', '')).toBe('9007199254740993.05');
  }
});

it('tells gain from loss by the text alone', () => {
  expect(['3', '-0.05', '0.00', null].map(signOf)).toEqual(['gain', 'loss', 'flat', 'flat']);
});

it('shows times in India whatever the browser thinks', () => {
  expect(formatTime('2026-11-20T03:45:00Z')).toBe('09:15:00');
});

it('names the day too where a moment may be of another one', () => {
  expect(formatMoment('2026-11-19T20:00:00Z')).toBe('20 Nov, 01:30');
});

it('writes a limit with every digit that counts and without the plus of a profit', () => {
  const written = [
    formatAmount('2500000', 'INR'),
    formatAmount('-51.2', 'INR'),
    formatAmount('0.125', 'USDT'),
    formatAmount('none', 'INR'),
  ];
  expect(written).toEqual(['₹25,00,000', '−₹51.20', '0.125 USDT', '–']);
});

it('names options as traders do and leaves other names alone', () => {
  expect(formatInstrument('NIFTY-20261124-26050-CE.NSE')).toBe('NIFTY 24 Nov 26050 CE');
  expect(formatInstrument('NIFTY.NSE')).toBe('NIFTY.NSE');
});

it('says that a process was never heard instead of zero', () => {
  expect([formatAge(null), formatAge(0.44), formatAge(95)]).toEqual(['never heard', '0.4 s', '1 min']);
});
