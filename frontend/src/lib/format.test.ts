import { expect, it } from 'vitest';

import { formatAge, formatInstrument, formatPnl, formatPrice, formatTime, signOf } from './format';

it('writes profit with a sign that does not depend on colour', () => {
  expect([formatPnl('1234567.4'), formatPnl('-5338.125'), formatPnl('0'), formatPnl(null)]).toEqual([
    '+12,34,567',
    '−5,338',
    '0',
    '–',
  ]);
});

it('never loses digits of money to floating point', () => {
  expect(formatPrice('9007199254740993.05').replaceAll(',', '')).toBe('9007199254740993.05');
});

it('tells gain from loss by the text alone', () => {
  expect(['3', '-0.05', '0.00', null].map(signOf)).toEqual(['gain', 'loss', 'flat', 'flat']);
});

it('shows times in India whatever the browser thinks', () => {
  expect(formatTime('2026-11-20T03:45:00Z')).toBe('09:15:00');
});

it('names options as traders do and leaves other names alone', () => {
  expect(formatInstrument('NIFTY-20261124-26050-CE.NSE')).toBe('NIFTY 24 Nov 26050 CE');
  expect(formatInstrument('NIFTY.NSE')).toBe('NIFTY.NSE');
});

it('says that a process was never heard instead of zero', () => {
  expect([formatAge(null), formatAge(0.44), formatAge(95)]).toEqual(['never heard', '0.4 s', '1 min']);
});
