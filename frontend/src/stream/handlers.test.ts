import { QueryClient } from '@tanstack/react-query';
import { expect, it } from 'vitest';

import type { Run, StreamFrame } from '../client';
import { listRunsQueryKey } from '../client/@tanstack/react-query.gen';
import { FrameFolder } from './handlers';
import { LiveStore } from './live-store';

const AT = '2026-11-20T04:42:00+00:00';

function run(name: string, is_alive = true): Run {
  return {
    name,
    is_alive,
    kind: 'loops',
    queue: 'loops.nse',
    holder: 'w',
    fence: 1,
    is_wanted: true,
    expires_at: AT,
    progress: {},
  };
}

function fold(known: Run[] | undefined, ...rows: Run[]): Run[] | undefined {
  const queries = new QueryClient();
  if (known !== undefined) queries.setQueryData(listRunsQueryKey(), known);
  const folder = new FrameFolder(queries, new LiveStore());
  const frame: StreamFrame = { type: 'runs', seq: 2, at: AT, data: rows };
  folder.fold(frame);
  folder.dispose();
  return queries.getQueryData<Run[]>(listRunsQueryKey());
}

it('replaces a known row in its place and adds a new one', () => {
  const after = fold([run('a'), run('b')], run('a', false), run('c'));

  expect(after?.map((row) => [row.name, row.is_alive])).toEqual([
    ['a', false],
    ['b', true],
    ['c', true],
  ]);
});

it('keeps nothing before the first fetch, which would look complete and is not', () => {
  expect(fold(undefined, run('a'))).toBeUndefined();
});

it('keeps marks out of the query cache and forgets them on a gap', () => {
  const live = new LiveStore();
  const folder = new FrameFolder(new QueryClient(), live);
  const leg = { deployment_id: 1, instrument_id: 'X', mark: '1', unrealized: '2', total: '3' };
  const pnl = [
    {
      currency: 'USD',
      total: '3',
      realized: '1',
      unrealized: '2',
      unmarked: 0,
      charges: '0',
      net: '3',
      lines: {},
      basis: 'NONE' as const,
      unconfirmed: [],
      uncharged: 0,
      mark_source: 'LAST_PRICE' as const,
    },
  ];
  folder.fold({ type: 'marks', seq: 3, at: AT, data: { pnl, legs: [leg] } });
  expect([live.leg('1|X'), live.pnl, live.now]).toEqual([leg, pnl, AT]);

  folder.refetchAll();

  expect([live.leg('1|X'), live.pnl]).toEqual([undefined, null]);
});
