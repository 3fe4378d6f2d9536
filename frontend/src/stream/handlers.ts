/** Fold frames into the query cache: frames carry whole rows, so nothing has to be fetched again. */
import type { QueryClient, QueryKey } from '@tanstack/react-query';

import type { Alarm, Login, Order, PhaseInfo, Position, Run, StreamFrame, Summary } from '../client';
import {
  listAlarmsQueryKey,
  listLoginsQueryKey,
  listPositionsQueryKey,
  listRunsQueryKey,
  showDayQueryKey,
} from '../client/@tanstack/react-query.gen';
import { legKey, type LiveStore } from './live-store';
import { ordersKey } from './orders-query';

const SUMMARY_PERIOD_MS = 1_000;

export class FrameFolder {
  private summaryTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly queries: QueryClient,
    private readonly live: LiveStore,
  ) {}

  fold = (frame: StreamFrame): void => {
    this.live.setNow(frame.at);
    switch (frame.type) {
      case 'orders':
        this.upsert<Order>(ordersKey, frame.data, (order) => order.id, 'first');
        break;
      case 'positions':
        this.upsert<Position>(listPositionsQueryKey(), frame.data, legKey);
        break;
      case 'logins':
        this.upsert<Login>(listLoginsQueryKey(), frame.data, (login) => login.account_id);
        break;
      case 'alarms':
        this.upsert<Alarm>(listAlarmsQueryKey(), frame.data, (alarm) => alarm.id, 'first');
        break;
      case 'runs':
        this.upsert<Run>(listRunsQueryKey(), frame.data, (run) => run.name);
        break;
      case 'phases':
        this.setPhases(frame.data);
        break;
      case 'marks':
        this.live.setMarks(frame.data);
        return;
      case 'heartbeat':
      case 'hello':
        return;
    }
    this.refetchSummarySoon();
  };

  refetchAll = (): void => {
    this.live.clearMarks();
    void this.queries.invalidateQueries();
  };

  dispose(): void {
    clearTimeout(this.summaryTimer);
  }

  private upsert<Row>(
    key: QueryKey,
    rows: Row[],
    identify: (row: Row) => string | number,
    place: 'first' | 'last' = 'last',
  ): void {
    this.queries.setQueryData<Row[]>(key, (old) => {
      if (old === undefined) return undefined;
      const fresh = new Map(rows.map((row) => [identify(row), row]));
      const kept = old.map((row) => {
        const id = identify(row);
        const newer = fresh.get(id);
        fresh.delete(id);
        return newer ?? row;
      });
      const added = [...fresh.values()];
      return place === 'first' ? [...added.reverse(), ...kept] : [...kept, ...added];
    });
  }

  private setPhases(phases: PhaseInfo[]): void {
    this.queries.setQueryData<Summary>(showDayQueryKey(), (old) => old && { ...old, phases });
  }

  private refetchSummarySoon(): void {
    this.summaryTimer ??= setTimeout(() => {
      this.summaryTimer = undefined;
      void this.queries.invalidateQueries({ queryKey: showDayQueryKey() });
    }, SUMMARY_PERIOD_MS);
  }
}
