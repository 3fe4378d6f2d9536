import { MantineProvider } from '@mantine/core';
import { render, within } from '@testing-library/react';
import { expect, it } from 'vitest';

import type { PnlInfo } from '../../client';
import { PnlCount } from './counts';

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
    { currency: 'INR', total: '-5338.1', realized: '100', unrealized: '-5438.1', unmarked: 0 },
    { currency: 'USD', total: '7.8', realized: '0', unrealized: '7.8', unmarked: 1 },
    { currency: 'USDT', total: '0.45', realized: '0.45', unrealized: '0', unmarked: 1 },
  ]);

  expect(
    within(tile)
      .getAllByRole('listitem')
      .map((line) => line.textContent),
  ).toEqual(['−₹5,338', '+$7.80', '+0.45 USDT']);
  expect(tile).toHaveTextContent('+₹100, $0.00, +0.45 USDT realized · 3 open · 2 without price');
});

it('has one line for one currency', () => {
  const tile = show([{ currency: 'USDT', total: '-2.5', realized: '1', unrealized: '-3.5', unmarked: 0 }]);

  expect(tile).toHaveTextContent('Profit and loss−2.50 USDT+1.00 USDT realized · 3 open');
});
