import { MantineProvider } from '@mantine/core';
import { render, within } from '@testing-library/react';
import { expect, it } from 'vitest';

import type { PnlInfo } from '../../client';
import { PnlCount } from './counts';

function sum(given: Partial<PnlInfo>): PnlInfo {
  return {
    currency: 'INR',
    total: '0',
    realized: '0',
    unrealized: '0',
    unmarked: 0,
    charges: '0',
    net: '0',
    lines: {},
    basis: 'NONE',
    unconfirmed: [],
    uncharged: 0,
    mark_source: 'LAST_PRICE',
    ...given,
  };
}

function show(pnl: PnlInfo[]): HTMLElement {
  const { container } = render(
    <MantineProvider env="test">
      <dl>
        <PnlCount summary={{ pnl, open_positions: 3, unprotected_positions: 0 }} />
      </dl>
    </MantineProvider>,
  );
  return container;
}

it('shows each currency on a line of its own and never their sum', () => {
  const tile = show([
    sum({ currency: 'INR', total: '-5338.1', net: '-5399.3', realized: '100', unrealized: '-5438.1' }),
    sum({ currency: 'USD', total: '7.8', net: '7.8', unrealized: '7.8', unmarked: 1 }),
    sum({ currency: 'USDT', total: '0.45', net: '0.4', realized: '0.45', unmarked: 1 }),
  ]);

  expect(
    within(tile)
      .getAllByRole('listitem')
      .map((line) => line.textContent),
  ).toEqual(['−₹5,338 net −₹5,399', '+$7.80 net +$7.80', '+0.45 USDT net +0.40 USDT']);
  expect(tile).toHaveTextContent('+₹100, $0.00, +0.45 USDT realized · 3 open · 2 without price');
});

it('has one line for one currency', () => {
  const tile = show([sum({ currency: 'USDT', total: '-2.5', net: '-2.5', realized: '1' })]);

  expect(tile).toHaveTextContent('Profit and loss−2.50 USDT net −2.50 USDT+1.00 USDT realized · 3 open');
});

it('writes the way from gross to net to the paisa, and whose word it rests on', () => {
  const tile = show([
    sum({
      total: '1300',
      charges: '12.4828',
      net: '1287.5172',
      lines: { stt: '9.75', transaction: '2.3088', gst: '0.424' },
      basis: 'MODEL',
      unconfirmed: ['stt'],
      uncharged: 2,
    }),
    sum({
      currency: 'BNB',
      charges: '0.00012',
      net: '-0.00012',
      lines: { trade_fee: '0.00012' },
      basis: 'BROKER',
    }),
  ]);

  const [rupees, coins] = within(tile).getAllByRole('table', { hidden: true });
  expect(rupees).toHaveTextContent(
    'INR: charges reckoned from dated rates; rates without a primary source: STT; 2 orders have no rates and are not charged',
  );
  expect(rupees).toHaveTextContent(
    'Gross₹1,300.00STT₹9.75Exchange₹2.31GST₹0.42All charges₹12.48Net₹1,287.52',
  );
  expect(coins).toHaveTextContent('BNB: charges as the broker reported them');
  expect(coins).toHaveTextContent('Trading fee0.00012 BNBAll charges0.00012 BNBNet−0.00012 BNB');
});
