import { screen, within } from '@testing-library/react';
import { http, HttpResponse } from 'msw';
import { expect, it } from 'vitest';

import type { EquityPoint } from '../../client';
import { server } from '../../testing/server';
import { show } from '../../testing/show';
import { EquityPanel } from './equity-panel';
import { draw, MARGIN, niceSteps } from './equity-scale';

const POINTS: [EquityPoint, ...EquityPoint[]] = [
  {
    minute: '2026-11-20T03:50:00Z',
    charges: '0',
    is_estimated: false,
    net: '0',
    realized: '0',
    unrealized: '0',
    peak: '0',
  },
  {
    minute: '2026-11-20T04:00:00Z',
    charges: '0',
    is_estimated: false,
    net: '100',
    realized: '0',
    unrealized: '100',
    peak: '100',
  },
  {
    minute: '2026-11-20T04:10:00Z',
    charges: '0',
    is_estimated: false,
    net: '-51.25',
    realized: '-60',
    unrealized: '8.75',
    peak: '100',
  },
];

it('draws steps: a value holds until the next point, the peak stays', () => {
  const { net, peak, zeroY, end, amounts, times } = draw(POINTS, { width: 276, height: 232 });
  const places = new Map(amounts.map(({ value, y }) => [value, y]));

  expect(places.get('0')).toBe(zeroY);
  expect(net).toBe(`M${MARGIN.left} ${zeroY}H162V${places.get('100')}H262V${end.y}`);
  expect(peak).toBe(`M${MARGIN.left} ${zeroY}H162V${places.get('100')}H262V${places.get('100')}`);
  expect(end.y).toBeGreaterThan(zeroY);
  expect(times.map(({ iso }) => iso.slice(11, 16))).toEqual(['03:50', '03:55', '04:00', '04:05', '04:10']);
});

it('draws a single point, and a day without any profit or loss', () => {
  const { net } = draw([POINTS[0]], { width: 276, height: 232 });

  expect(net).not.toContain('NaN');
});

it.each([
  [-51.25, 100, [-100, -50, 0, 50, 100]],
  [0, 0, [0, 0.2, 0.4, 0.6, 0.8, 1]],
  [-5112, 0, [-6000, -4000, -2000, 0]],
])('marks %d to %d with round numbers', (least, most, marks) => {
  const steps = niceSteps(least, most, 5).map((step) => Math.round(step * 1e6) / 1e6);

  expect(steps).toEqual(marks);
});

it('shows the course in words, in numbers and as a table', async () => {
  server.use(http.get('*/api/v1/accounts/3/equity', () => HttpResponse.json(POINTS)));
  show(<EquityPanel subject={{ kind: 'account', id: 3 }} currency="INR" />);

  expect(
    await screen.findByRole('img', {
      name: 'Profit and loss from 09:20 to 09:40: −₹51.25 at the end, peak ₹100.',
    }),
  ).toBeInTheDocument();
  const rows = within(screen.getByRole('table', { hidden: true })).getAllByRole('row', { hidden: true });
  expect(rows[1]).toHaveTextContent('09:40−₹51−₹60+₹9₹0+₹100');
});

it('says why there is nothing to draw', async () => {
  server.use(http.get('*/api/v1/deployments/9/equity', () => HttpResponse.json([])));
  show(<EquityPanel subject={{ kind: 'deployment', id: 9 }} currency="INR" />);

  expect(await screen.findByText(/No point yet today/)).toBeInTheDocument();
});
