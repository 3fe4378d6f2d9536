import { MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { http, HttpResponse } from 'msw';
import { expect, it } from 'vitest';

import type { EvidenceEntry, UnknownOrder } from '../../client';
import { client } from '../../client/client.gen';
import { server } from '../../testing/server';
import { UnknownPanel } from './unknown-panel';

const ORDER: UnknownOrder = {
  id: 41,
  user_id: 7,
  user_name: 'harsh',
  account_id: 3,
  account_name: 'Harsh Kotak',
  broker: 'kotak_neo',
  deployment_name: 'straddle',
  client_order_id: 'ob0123456789abcdef',
  broker_order_id: null,
  instrument_id: 'NIFTY-20261124-26050-PE.NSE',
  side: 'SELL',
  role: 'ENTRY',
  order_type: 'LIMIT',
  quantity: '75',
  price: '128.6',
  trigger_price: null,
  status: 'SUBMITTED',
  is_unknown: true,
  reject_reason: '',
  ts_init: '2026-11-20T04:41:12Z',
  submitted_wall: '2026-11-20T04:41:12Z',
  age_s: 48,
  at_stake: '9645',
  currency: 'INR',
  clean_misses: 1,
  misses_needed: 2,
  provable_from: '2026-11-20T04:42:42Z',
  provable_in_s: 42,
  looked_at: '2026-11-20T04:41:59Z',
  missed_at: null,
  lookalikes: ['777'],
  next_step: 'It looks on.',
};
const LOOK: EvidenceEntry = {
  id: 1,
  source: 'TAG',
  is_clean: true,
  is_proof: false,
  seen: 'No order in the book carries its tag.',
  broker_order_ids: [],
  looks: 40,
  ts_init: '2026-11-20T04:41:20Z',
  first_wall: '2026-11-20T04:41:20Z',
  last_wall: '2026-11-20T04:42:00Z',
};

function show({ canResolve = true } = {}) {
  client.setConfig({ baseUrl: 'http://localhost' });
  server.use(http.get('*/api/v1/unknown-orders', () => HttpResponse.json([ORDER])));
  render(
    <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
      <MantineProvider env="test">
        <UnknownPanel canResolve={canResolve} />
      </MantineProvider>
    </QueryClientProvider>,
  );
}

it('says what is at stake, how far the proof is and what comes next', async () => {
  show();

  const row = await screen.findByRole('listitem');

  expect(row).toHaveTextContent('Harsh Kotak · sell 75 NIFTY 24 Nov 26050 PE · entry');
  expect(row).toHaveTextContent('₹9,645 at stake · sent 48 s ago · missed by 1 of 2 clean reads');
  expect(row).toHaveTextContent('It looks on.');
  expect(row).toHaveTextContent('May be broker order 777');
});

it('shows what was asked, then each look, equal ones counted', async () => {
  const asked = { id: 9, kind: 'OUTCOME_UNKNOWN', source: 'entry_lane', wall: '2026-11-20T04:41:17Z' };
  server.use(
    http.get('*/api/v1/unknown-orders/41', () =>
      HttpResponse.json({
        order: ORDER,
        events: [{ ...asked, ts_init: asked.wall, details: { message: 'no answer within 5 s' } }],
        evidence: [{ ...LOOK, id: 2, is_clean: false, ts_init: '2026-11-20T04:43:00Z', looks: 1 }, LOOK],
      }),
    ),
  );
  show();
  await userEvent.click(await screen.findByRole('button', { name: 'Evidence about Harsh Kotak, order 41' }));

  const items = within(await screen.findByRole('list', { name: 'Evidence about order 41' }));

  expect(items.getAllByRole('listitem').map((item) => item.textContent)).toEqual([
    expect.stringContaining('outcome unknown no answer within 5 s'),
    expect.stringContaining('40 equal looks within 40 s · too early to prove absence'),
    expect.stringContaining('proves nothing'),
  ]);
});

it('lets nobody but staff resolve', async () => {
  show({ canResolve: false });

  await screen.findByRole('button', { name: 'Evidence about Harsh Kotak, order 41' });

  expect(screen.queryByRole('button', { name: /Resolve/ })).toBeNull();
});

it('says when the list cannot be loaded instead of showing none', async () => {
  show();
  server.use(
    http.get('*/api/v1/unknown-orders', () =>
      HttpResponse.json({ detail: 'the database cannot be reached' }, { status: 503 }),
    ),
  );

  expect(await screen.findByText('the database cannot be reached')).toBeInTheDocument();
});

it('asks a second time before it overrules the evidence, and again when the fate is changed', async () => {
  const asked: unknown[] = [];
  server.use(
    http.post('*/api/v1/unknown-orders/41/resolution', async ({ request }) => {
      asked.push(await request.json());
      return HttpResponse.json({ code: 'evidence_against', detail: 'the books show 777' }, { status: 409 });
    }),
  );
  const user = userEvent.setup();
  show();
  await user.click(await screen.findByRole('button', { name: 'Resolve Harsh Kotak, order 41' }));
  const button = await screen.findByRole('button', { name: 'Settle as not placed' });
  await user.type(screen.getByRole('textbox', { name: 'Reason' }), 'too short');
  expect(button).toBeDisabled();
  await user.type(screen.getByRole('textbox', { name: 'Reason' }), ', now longer');
  await user.click(button);

  expect(await screen.findByText('the books show 777')).toBeInTheDocument();
  expect(button).toBeDisabled();
  await user.click(screen.getByRole('checkbox', { name: /overrule the evidence/ }));
  await user.click(button);
  await waitFor(() => {
    expect(asked).toHaveLength(2);
  });
  await user.click(screen.getByRole('radio', { name: /^Placed/ }));
  expect(screen.queryByRole('checkbox')).toBeNull();
  await user.click(screen.getByRole('button', { name: 'Settle as placed' }));
  await waitFor(() => {
    expect(asked).toHaveLength(3);
  });

  const reason = 'too short, now longer';
  expect(asked).toEqual([
    { fate: 'NOT_PLACED', broker_order_id: null, reason, is_confirmed: false },
    { fate: 'NOT_PLACED', broker_order_id: null, reason, is_confirmed: true },
    { fate: 'PLACED', broker_order_id: '777', reason, is_confirmed: false },
  ]);
});
