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
