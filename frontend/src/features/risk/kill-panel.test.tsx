import { screen, within } from '@testing-library/react';
import { http, HttpResponse } from 'msw';
import { expect, it } from 'vitest';

import type { KillProgress } from '../../client';
import { people } from '../../testing/people';
import { server } from '../../testing/server';
import { show } from '../../testing/show';
import { KillPanel } from './kill-panel';

const ACCOUNT: KillProgress['accounts'][number] = {
  account_id: 3,
  user_name: 'aarav',
  account_name: 'main',
  broker: 'kotak_neo',
  open_legs: 0,
  live_entries: 0,
  last_order_at: '2026-11-20T04:42:00.210Z',
  press_to_last_order_ms: 210,
  flat_at: '2026-11-20T04:42:05Z',
  why_not_flat: null,
};
const KILL: KillProgress = {
  command_id: 4,
  scope: 'broker',
  target: 'kotak_neo',
  action: 'HALT',
  actor: 'ops',
  reason: 'prices look wrong',
  pressed_at: '2026-11-20T04:42:00Z',
  exits_requested: 2,
  entries_canceled: 0,
  is_flat: false,
  are_exits_running: true,
  accounts: [
    ACCOUNT,
    {
      ...ACCOUNT,
      account_id: 5,
      user_name: 'aditi',
      open_legs: 2,
      press_to_last_order_ms: null,
      flat_at: null,
      why_not_flat: 'the broker refuses: margin shortfall',
    },
  ],
  press_to_last_order: { accounts: 1, p50_ms: 210, p99_ms: 340 },
};

it('lists every account of a halt, those that are not flat first, with the times', async () => {
  server.use(
    ...people(),
    http.get('*/api/v1/kill-switch', () => HttpResponse.json([KILL])),
  );
  show(<KillPanel />);
  const halts = await screen.findByRole('list', { name: 'Last halts' });
  const table = await within(halts).findByRole('table');
  const [open, flat] = within(table).getAllByRole('row').slice(1);

  expect(halts).toHaveTextContent('All accounts at kotak_neo halted by ops, 20 Nov, 10:12');
  expect(halts).toHaveTextContent('Closing: 1 of 2 accounts that had something to close are flat.');
  expect(halts).toHaveTextContent('Press to last order: p50 210 ms, p99 340 ms (1 accounts)');
  expect(open).toHaveTextContent('aditi/main2none sentnot yet: the broker refuses: margin shortfall');
  expect(flat).toHaveTextContent('aarav/main0after 210 msflat at 10:12:05');
});

it('says that nobody has halted anything', async () => {
  server.use(
    ...people(),
    http.get('*/api/v1/kill-switch', () => HttpResponse.json([])),
  );
  show(<KillPanel />);

  expect(await screen.findByText('Nobody has halted anything in the last 24 hours.')).toBeInTheDocument();
});
