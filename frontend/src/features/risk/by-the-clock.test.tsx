import { screen, within } from '@testing-library/react';
import { http, HttpResponse } from 'msw';
import { expect, it } from 'vitest';

import type { BlackoutRow, Departure, GroupTimes } from '../../client';
import { live } from '../../stream/live-store';
import { people } from '../../testing/people';
import { server } from '../../testing/server';
import { show } from '../../testing/show';
import { ByTheClock } from './by-the-clock';

const GROUP: GroupTimes = {
  day: '2026-11-20',
  venue: 'NSE',
  broker: 'kotak_neo',
  product: 'OPTION',
  is_expiring: true,
  times: {
    entries_end_at: '2026-11-20T09:00:00Z',
    leave_at: '2026-11-20T09:30:00Z',
    broker_at: '2026-11-20T09:50:00Z',
    setting: 4,
  },
};
const LEG: Departure = {
  account_id: 3,
  deployment_id: 9,
  instrument_id: 'NIFTY-20261124-26050-CE.NSE',
  net_qty: '-75',
  leave_by: '2026-11-20T09:30:00Z',
  broker_at: '2026-11-20T09:50:00Z',
  exit_reason: 'square_off',
  urgency: 'PERSON',
};
const WINDOW: BlackoutRow = {
  id: 1,
  name: 'US payrolls',
  covers: ['USD'],
  starts_at: '2026-11-20T13:25:00Z',
  ends_at: '2026-11-20T13:45:00Z',
  rule: 'NO_ENTRIES',
  lead_s: 900,
  timezone: null,
  actor: 'ops',
  reason: 'calendar',
  created_at: '2026-11-19T04:00:00Z',
  withdrawn_at: null,
  withdrawn_by: null,
  withdrawal_reason: null,
};
const WEEKEND: BlackoutRow = {
  ...WINDOW,
  id: 2,
  name: 'forex weekend',
  covers: ['MT5'],
  starts_at: '2025-01-03T21:30:00Z',
  ends_at: '2025-01-05T22:00:00Z',
  rule: 'FLAT_BEFORE',
  lead_s: 1800,
  timezone: 'America/New_York',
};

function answer({ today = [GROUP], legs = [LEG], windows = [WINDOW] }: Partial<Answers>) {
  server.use(
    ...people(),
    http.get('*/api/v1/square-offs', () => HttpResponse.json({ today, settings: [] })),
    http.get('*/api/v1/departures', () => HttpResponse.json(legs)),
    http.get('*/api/v1/blackouts', () => HttpResponse.json(windows)),
  );
}

interface Answers {
  today: GroupTimes[];
  legs: Departure[];
  windows: BlackoutRow[];
}

it('tells when a group leaves, what is late and how hard it is pressed', async () => {
  live.setNow('2026-11-20T09:34:00Z');
  answer({ legs: [LEG, { ...LEG, instrument_id: 'NIFTY-20261124-26100-CE.NSE', urgency: 'USUAL' }] });
  show(<ByTheClock />);

  const group = within(await screen.findByRole('table', { name: 'When positions leave today' }));
  expect(group.getByText('NSE option on its last day')).toBeInTheDocument();
  expect(group.getByText('15:00:00')).toBeInTheDocument();
  expect(group.getByText('setting 4')).toBeInTheDocument();
  const late = within(await screen.findByRole('table', { name: 'Late to leave' }));
  expect(late.getAllByRole('row')).toHaveLength(2);
  expect(await late.findByText('aarav/main')).toBeInTheDocument();
  expect(late.getByText('late: a person was called')).toBeInTheDocument();
  expect(screen.getByText('2 held legs, the first out by 15:00:00')).toBeInTheDocument();
});

it('shows the windows that are ahead, weekly ones by the clock of their own place', async () => {
  live.setNow('2026-11-20T09:34:00Z');
  const over = { ...WINDOW, id: 3, name: 'over', ends_at: '2026-11-20T09:00:00Z' };
  const withdrawn = { ...WINDOW, id: 4, name: 'withdrawn', withdrawn_at: '2026-11-20T04:00:00Z' };
  answer({ windows: [WINDOW, WEEKEND, over, withdrawn] });
  show(<ByTheClock />);

  const windows = within(await screen.findByRole('table', { name: 'Blackouts' }));
  expect(windows.getAllByRole('row').slice(1)).toHaveLength(2);
  expect(windows.getByText('US payrolls')).toBeInTheDocument();
  expect(windows.getByText('each Fri 16:30 (America/New_York)')).toBeInTheDocument();
  expect(windows.getByText('no entries, positions out before')).toBeInTheDocument();
});

it('says so when nothing trades and nothing is ahead', async () => {
  answer({ today: [], legs: [], windows: [] });
  show(<ByTheClock />);

  expect(await screen.findByText('No market trades today: nothing has to leave.')).toBeInTheDocument();
  expect(await screen.findByText('No blackout is ahead.')).toBeInTheDocument();
  expect(await screen.findByText('no held leg has a time')).toBeInTheDocument();
});

it('says what could not be read', async () => {
  answer({});
  server.use(
    http.get('*/api/v1/square-offs', () => HttpResponse.json({ detail: 'no database' }, { status: 503 })),
  );
  show(<ByTheClock />);

  expect(await screen.findByText(/no database/)).toBeInTheDocument();
});
