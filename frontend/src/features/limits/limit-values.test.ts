import { expect, it } from 'vitest';

import { draftOf, inOrder, isSameSet, setOf, writeValue } from './limit-values';

it('asks for what the form shows, symbols as lists, and keeps what it does not know', () => {
  const draft = draftOf({ max_lots: '4', denied_symbols: ['BANKNIFTY'], max_moonshots: '2' });
  const asked = setOf({ ...draft, max_lots: ' 3 ', denied_symbols: 'nifty, ,BANKNIFTY ', cooldown_s: '' });

  expect(asked).toEqual({ max_lots: '3', denied_symbols: ['NIFTY', 'BANKNIFTY'], max_moonshots: '2' });
});

it('tells sets apart by what they say', () => {
  const set = { max_lots: '4', denied_symbols: ['A', 'B'] };

  expect(isSameSet(set, { denied_symbols: ['B', 'A'], max_lots: '4' })).toBe(true);
  expect(isSameSet(set, { ...set, max_lots: '3' })).toBe(false);
  expect(isSameSet(set, { max_lots: '4' })).toBe(false);
});

it('writes values with their unit, amounts in the currency of the account', () => {
  const written = [
    writeValue('max_daily_loss', '25000', 'INR'),
    writeValue('max_daily_loss', '25000', ''),
    writeValue('cooldown_s', '60', 'INR'),
    writeValue('max_lots', '3', 'INR'),
    writeValue('denied_symbols', ['A', 'B'], 'INR'),
  ];

  expect(written).toEqual(['₹25,000', '25000', '60 s', '3', 'A, B']);
});

it('lists losses first and unknown names last', () => {
  const names = inOrder({ zzz: '1', max_lots: '1', max_daily_loss: '1' }).map(([name]) => name);

  expect(names).toEqual(['max_daily_loss', 'max_lots', 'zzz']);
});
