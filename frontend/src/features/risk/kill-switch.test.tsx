import { MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { http, HttpResponse } from 'msw';
import { expect, it } from 'vitest';

import type { Me } from '../../client';
import { client } from '../../client/client.gen';
import { server } from '../../testing/server';
import { KillSwitch } from './kill-switch';

const ME: Me = { id: 7, name: 'aarav', role: 'TRADER', trading_state: 'ACTIVE', is_staff: false };

function show(me: Me) {
  client.setConfig({ baseUrl: 'http://localhost' });
  render(
    <QueryClientProvider client={new QueryClient()}>
      <MantineProvider env="test">
        <KillSwitch me={me} />
      </MantineProvider>
    </QueryClientProvider>,
  );
}

it('sends nothing before a reason and the typed word, then exactly what was asked', async () => {
  const asked: unknown[] = [];
  server.use(
    http.get('*/api/v1/accounts', () => HttpResponse.json([])),
    http.get('*/api/v1/deployments', () => HttpResponse.json([])),
    http.post('*/api/v1/kill-switch', async ({ request }) => {
      asked.push(await request.json());
      return HttpResponse.json({ detail: 'the database cannot be reached' }, { status: 503 });
    }),
  );
  const user = userEvent.setup();
  show(ME);
  await user.click(screen.getByRole('button', { name: 'Kill switch' }));
  const button = await screen.findByRole('button', { name: 'Halt and flatten' });

  await user.type(screen.getByRole('textbox', { name: 'Type HALT to confirm' }), 'HALT');
  expect(button).toBeDisabled();
  await user.type(screen.getByRole('textbox', { name: 'Reason' }), 'prices look wrong');
  await user.click(button);

  expect(await screen.findByText('the database cannot be reached')).toBeInTheDocument();
  expect(asked).toEqual([{ scope: 'user', target: 7, action: 'HALT', reason: 'prices look wrong' }]);
});

it('stops a whole broker and shows what is not flat, with its reason, until everything is', async () => {
  const asked: unknown[] = [];
  const kill = {
    command_id: 4,
    scope: 'broker',
    target: 'kotak_neo',
    action: 'HALT',
    actor: 'ops',
    reason: 'prices look wrong',
    pressed_at: '2026-11-20T04:42:00Z',
    exits_requested: 2,
    entries_canceled: 0,
    are_exits_running: true,
    press_to_last_order: { accounts: 1, p50_ms: 210, p99_ms: 340 },
  };
  const account = {
    account_id: 1,
    user_name: 'aarav',
    account_name: 'main',
    broker: 'kotak_neo',
    open_legs: 1,
    live_entries: 0,
    last_order_at: null,
    press_to_last_order_ms: null,
    flat_at: null,
    why_not_flat: 'the broker refuses: margin shortfall',
  };
  const answers = [
    { ...kill, is_flat: false, accounts: [account] },
    { ...kill, is_flat: true, accounts: [{ ...account, open_legs: 0, why_not_flat: null }] },
  ];
  server.use(
    http.get('*/api/v1/accounts', () =>
      HttpResponse.json([{ id: 1, user_id: 7, user_name: 'aarav', name: 'main', broker: 'kotak_neo' }]),
    ),
    http.get('*/api/v1/deployments', () => HttpResponse.json([])),
    http.get('*/api/v1/families', () => HttpResponse.json([])),
    http.post('*/api/v1/kill-switch', async ({ request }) => {
      asked.push(await request.json());
      return HttpResponse.json({ id: 4, status: 'DONE', result: {} }, { status: 202 });
    }),
    http.get('*/api/v1/kill-switch/4', () =>
      HttpResponse.json(answers.length > 1 ? answers.shift() : answers[0]),
    ),
  );
  const user = userEvent.setup();
  show({ ...ME, role: 'OPS', is_staff: true });
  await user.click(screen.getByRole('button', { name: 'Kill switch' }));
  await user.click(await screen.findByRole('combobox', { name: 'Whom' }));
  await user.click(await screen.findByRole('option', { name: 'All accounts at kotak_neo' }));
  await user.type(screen.getByRole('textbox', { name: 'Type HALT to confirm' }), 'HALT');
  await user.type(screen.getByRole('textbox', { name: 'Reason' }), 'prices look wrong');
  await user.click(screen.getByRole('button', { name: 'Halt and flatten' }));

  expect(await screen.findByText('the broker refuses: margin shortfall')).toBeInTheDocument();
  expect(asked).toEqual([
    { scope: 'broker', target: 'kotak_neo', action: 'HALT', reason: 'prices look wrong' },
  ]);
  expect(await screen.findByText(/Everything is flat: 1 of 1/, {}, { timeout: 3000 })).toBeInTheDocument();
});

it('offers families to staff and sends the id of the chosen one', async () => {
  const asked: unknown[] = [];
  server.use(
    http.get('*/api/v1/accounts', () => HttpResponse.json([])),
    http.get('*/api/v1/deployments', () => HttpResponse.json([])),
    http.get('*/api/v1/families', () => HttpResponse.json([{ family_id: 3, name: 'rao', members: [] }])),
    http.post('*/api/v1/kill-switch', async ({ request }) => {
      asked.push(await request.json());
      return HttpResponse.json({ detail: 'seen' }, { status: 503 });
    }),
  );
  const user = userEvent.setup();
  show({ ...ME, role: 'OPS', is_staff: true });
  await user.click(screen.getByRole('button', { name: 'Kill switch' }));
  await user.click(await screen.findByRole('combobox', { name: 'Whom' }));
  await user.click(await screen.findByRole('option', { name: 'Family rao' }));
  await user.type(screen.getByRole('textbox', { name: 'Type HALT to confirm' }), 'HALT');
  await user.type(screen.getByRole('textbox', { name: 'Reason' }), 'house rule');
  await user.click(screen.getByRole('button', { name: 'Halt and flatten' }));

  expect(await screen.findByText('seen')).toBeInTheDocument();
  expect(asked).toEqual([{ scope: 'family', target: 3, action: 'HALT', reason: 'house rule' }]);
});
