/** Hold hot values outside React's cache; a cell subscribes to its own key, so a tick repaints one cell. */
import { useSyncExternalStore } from 'react';

import type { MarkedLeg, Marks, PnlInfo } from '../client';
import type { StreamState } from './socket';

export class LiveStore {
  state: StreamState = 'connecting';
  now: string | null = null;
  pnl: PnlInfo[] | null = null;
  private readonly legs = new Map<string, MarkedLeg>();
  private readonly listeners = new Set<() => void>();
  private isScheduled = false;

  setState(state: StreamState): void {
    this.state = state;
    this.changed();
  }

  setNow(now: string): void {
    this.now = now;
    this.changed();
  }

  setMarks(marks: Marks): void {
    this.pnl = marks.pnl;
    for (const leg of marks.legs) this.legs.set(legKey(leg), leg);
    this.changed();
  }

  /** Forget values that may be older than what is fetched next. */
  clearMarks(): void {
    this.pnl = null;
    this.legs.clear();
    this.changed();
  }

  leg(key: string): MarkedLeg | undefined {
    return this.legs.get(key);
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  private changed(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    requestAnimationFrame(() => {
      this.isScheduled = false;
      for (const listener of this.listeners) listener();
    });
  }
}

export const live = new LiveStore();

export function legKey(leg: { deployment_id: number; instrument_id: string }): string {
  return `${leg.deployment_id}|${leg.instrument_id}`;
}

export function useLive<T>(select: (store: LiveStore) => T): T {
  return useSyncExternalStore(live.subscribe, () => select(live));
}
