import { fireEvent, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { http, HttpResponse } from 'msw';
import { beforeEach, expect, it } from 'vitest';

import type { LimitTrial, LimitVersion, Me } from '../../client';
import { OPS, PEOPLE, TRADER } from '../../testing/people';
import { server } from '../../testing/server';
import { show } from '../../testing/show';
import { ScopeSets } from './scope-sets';

const FIRST: LimitVersion = {
  scope: 'ACCOUNT',
  target: '3',
  version: 1,
  values: { max_lots: '4', denied_symbols: ['BANKNIFTY'] },
  actor: 'ops',
  role: 'OPS',
  reason: 'first week',
  ts_init: '2026-11-17T11:50:00Z',
};
const SECOND: LimitVersion = {
  ...FIRST,
  version: 2,
  values: { max_lots: '1' },
  actor: 'admin',
  reason: 'storm',
};
const TRIAL: LimitTrial = {
  judged: 2,
  unjudged: 1,
  denied: [
    {
      at: '2026-11-20T03:50:00Z',
      client_order_id: 'ob1',
      account_id: 3,
      deployment_id: 9,
      instrument_id: 'NIFTY-20261124-26050-CE.NSE',
      code: 'QUANTITY',
      message: 'expected at most 2 lots, got 3',
      remedy: 'Lower the lots.',
    },
  ],
};

let versions: LimitVersion[];
let saved: unknown[];
let tried: unknown[];

beforeEach(() => {
  [versions, saved, tried] = [[FIRST], [], []];
  server.use(
    http.get('*/api/v1/accounts/3/limits', () =>
      HttpResponse.json([{ name: 'max_lots', value: '4', origin: 'ACCOUNT', version: FIRST }]),
    ),
    http.get('*/api/v1/limit-versions', () => HttpResponse.json(versions)),
    http.post('*/api/v1/limit-trials', async ({ request }) => {
      tried.push(await request.json());
      return HttpResponse.json(TRIAL);
    }),
    http.post('*/api/v1/limit-versions', async ({ request }) => {
      saved.push(await request.json());
      if (versions[0] === SECOND) return HttpResponse.json({ ...SECOND, version: 3 }, { status: 201 });
      versions = [SECOND, FIRST];
      return HttpResponse.json({ code: 'conflict', detail: 'expected version 2' }, { status: 409 });
    }),
  );
});

async function openEditor(me: Me) {
  const user = userEvent.setup();
  show(<ScopeSets subject={{ kind: 'account', id: 3 }} people={PEOPLE} me={me} />);
  await user.click(await screen.findByRole('button', { name: 'Change this set…' }));
  const dialog = await screen.findByRole('dialog');
  const field = (name: string | RegExp) => within(dialog).getByRole('textbox', { name });
  const button = (name: string | RegExp) => within(dialog).getByRole('button', { name });
  // At once and not key by key: each key would paint the whole form again.
  const replace = (name: string, text: string) => {
    fireEvent.change(field(name), { target: { value: text } });
  };
  return { user, dialog, field, button, replace };
}

it('saves only what was tried, as it was tried', async () => {
  const { user, dialog, button, replace } = await openEditor(TRADER);
  replace('Reason', 'expiry day');
  replace('Lots of a leg', '2');
  expect(button(/^Save/)).toBeDisabled();
  expect(dialog).toHaveTextContent('First see what it would have denied today.');

  await user.click(button('What would this have denied today?'));
  expect(
    await within(dialog).findByText(/1 of today's 2 entries would have been denied/),
  ).toBeInTheDocument();
  expect(dialog).toHaveTextContent('1 could not be judged');
  expect(dialog).toHaveTextContent('QUANTITY expected at most 2 lots, got 3');
  expect(button(/^Save/)).toBeEnabled();

  replace('Lots of a leg', '3');
  expect(button(/^Save/)).toBeDisabled();
  expect(dialog).not.toHaveTextContent('would have been denied');
  await user.click(button('What would this have denied today?'));
  await within(dialog).findByText(/would have been denied/);

  expect(tried.at(-1)).toEqual({
    scope: 'ACCOUNT',
    target: '3',
    values: { max_lots: '3', denied_symbols: ['BANKNIFTY'] },
  });
  expect(saved).toEqual([]);
});

it('tells that somebody was faster, shows the newest and starts again from it', async () => {
  const { user, dialog, field, button, replace } = await openEditor(TRADER);
  replace('Reason', 'expiry day');
  replace('Lots of a leg', '2');
  await user.click(button('What would this have denied today?'));
  await within(dialog).findByText(/would have been denied/);
  await user.click(button('Save as version 2'));

  const alert = await within(dialog).findByText(/Nothing of yours was saved/);
  expect(alert).toHaveTextContent('Version 2 by admin, 17 Nov, 17:20 (storm) is the newest:Lots of a leg: 1');
  expect(within(dialog).queryByRole('button', { name: /^Save/ })).not.toBeInTheDocument();
  await user.click(button('Start again from version 2'));
  expect(field('Lots of a leg')).toHaveValue('1');
  expect(field(/^None of these symbols/)).toHaveValue('');

  replace('Lots of a leg', '2');
  await user.click(button('What would this have denied today?'));
  await within(dialog).findByText(/would have been denied/);
  await user.click(button('Save as version 3'));
  expect(await screen.findByText('Version 3 binds the next order.')).toBeInTheDocument();
  expect(saved).toEqual(
    [1, 2].map((version) => ({
      scope: 'ACCOUNT',
      target: '3',
      values: version === 1 ? { max_lots: '2', denied_symbols: ['BANKNIFTY'] } : { max_lots: '2' },
      expected_version: version,
      reason: 'expiry day',
    })),
  );
});

it('shows a trader no set of everybody, and asks for none', async () => {
  const user = userEvent.setup();
  show(<ScopeSets subject={{ kind: 'account', id: 3 }} people={PEOPLE} me={TRADER} />);
  await screen.findByRole('table', { name: 'Versions of the set of aarav/main' });
  server.use(http.get('*/api/v1/limit-versions', () => HttpResponse.error()));

  await user.click(screen.getByRole('radio', { name: 'Everybody' }));

  expect(await screen.findByText(/Only staff reads and changes this set/)).toBeInTheDocument();
  expect(screen.queryByRole('button', { name: 'Change this set…' })).not.toBeInTheDocument();
});

it('lets staff change the set of everybody', async () => {
  versions = [];
  const user = userEvent.setup();
  show(<ScopeSets subject={{ kind: 'account', id: 3 }} people={PEOPLE} me={OPS} />);
  await user.click(await screen.findByRole('radio', { name: 'Everybody' }));

  expect(await screen.findByText(/it limits nothing/)).toBeInTheDocument();
  expect(screen.getByRole('button', { name: 'Change this set…' })).toBeEnabled();
});
