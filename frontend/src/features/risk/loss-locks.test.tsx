import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { http, HttpResponse } from 'msw';
import { expect, it } from 'vitest';

import type { LossLock } from '../../client';
import { live } from '../../stream/live-store';
import { people } from '../../testing/people';
import { server } from '../../testing/server';
import { show } from '../../testing/show';
import { LossLocks } from './loss-locks';

const FALLING: LossLock = {
  id: 2,
  venue: 'NSE',
  day: '2026-11-20',
  scope: 'ACCOUNT',
  target: '3',
  rule: 'MAX_DAILY_LOSS',
  limit: '5000',
  value: '-5112.5',
  currency: 'INR',
  formula: 'realized -900 + unrealized -4212.5 = -5112.5 <= -5000',
  breached_at: '2026-11-20T04:40:00Z',
  flat_at: null,
  flat_value: null,
  unlocked_at: null,
  unlocked_by: null,
  unlock_reason: null,
};
const FLAT: LossLock = {
  ...FALLING,
  id: 1,
  scope: 'DEPLOYMENT',
  target: '9',
  rule: 'MAX_DRAWDOWN',
  value: '5100',
  formula: 'peak 4000 - (realized 0 + unrealized -1100) = 5100 >= 5000',
  flat_at: '2026-11-20T04:40:03Z',
  flat_value: '-1180.25',
};
const UNLOCKED: LossLock = {
  ...FLAT,
  id: 3,
  scope: 'USER',
  target: '7',
  unlocked_at: '2026-11-20T04:41:00Z',
  unlocked_by: 'ops',
  unlock_reason: 'limit raised by phone',
};

function answer(locks: LossLock[]) {
  server.use(
    ...people(),
    http.get('*/api/v1/loss-locks', () => HttpResponse.json(locks)),
  );
}

it('tells each lock with its formula, whether it is flat and who ended it', async () => {
  live.setNow('2026-11-20T04:42:00Z');
  answer([FALLING, FLAT, UNLOCKED]);
  show(<LossLocks canUnlock />);
  const table = await screen.findByRole('table', { name: 'Loss locks of today' });
  const [falling, flat, unlocked] = within(table).getAllByRole('row').slice(1);

  expect(await within(table).findByText('aarav/main')).toBeInTheDocument();
  expect(falling).toHaveTextContent('₹5,000−₹5,112.50');
  expect(falling).toHaveTextContent('realized −900 + unrealized −4212.5 = −5112.5 <= −5000');
  expect(falling).toHaveTextContent('not yet flat, for 2 min');
  expect(falling).toHaveTextContent('can be unlocked once it is flat');
  expect(flat).toHaveTextContent('aarav/main/straddle');
  expect(flat).toHaveTextContent('10:10:03, 3 s afterleft: −₹1,180.25');
  expect(unlocked).toHaveTextContent('All accounts of aarav');
  expect(unlocked).toHaveTextContent('10:11:00 by opslimit raised by phone');
  expect(screen.getByText('2 in force, 3 today')).toBeInTheDocument();
  expect(screen.getAllByRole('button', { name: /^Unlock/ })).toHaveLength(1);
});

it('unlocks exactly the locked scope, with a reason, and shows a refusal', async () => {
  const asked: unknown[] = [];
  answer([FLAT]);
  server.use(
    http.post('*/api/v1/kill-switch', async ({ request }) => {
      asked.push(await request.json());
      return HttpResponse.json({ code: 'conflict', detail: 'raise it first' }, { status: 409 });
    }),
  );
  const user = userEvent.setup();
  show(<LossLocks canUnlock />);
  await user.click(await screen.findByRole('button', { name: 'Unlock aarav/main/straddle' }));
  const button = await screen.findByRole('button', { name: 'Unlock' });

  expect(button).toBeDisabled();
  await user.type(screen.getByRole('textbox', { name: 'Reason' }), 'seen and agreed');
  await user.click(button);

  expect(await screen.findByText('raise it first')).toBeInTheDocument();
  expect(asked).toEqual([{ scope: 'deployment', target: 9, action: 'RESUME', reason: 'seen and agreed' }]);
});

it('offers no unlock to a trader', async () => {
  answer([FLAT]);
  show(<LossLocks canUnlock={false} />);

  expect(await screen.findByText('no; only staff unlocks')).toBeInTheDocument();
  expect(screen.queryByRole('button', { name: /Unlock/ })).not.toBeInTheDocument();
});

it('says that nothing is locked, and otherwise that it does not know', async () => {
  answer([]);
  show(<LossLocks canUnlock />);
  expect(await screen.findByText(/nothing is locked/)).toBeInTheDocument();

  server.use(
    http.get('*/api/v1/loss-locks', () => HttpResponse.json({ detail: 'no database' }, { status: 503 })),
  );
  show(<LossLocks canUnlock />);
  expect(await screen.findByRole('alert')).toHaveTextContent('Loss locks cannot be loadedno database');
});
