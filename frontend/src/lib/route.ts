/** Keep the page in the address, so that it survives a reload and can be sent to somebody. */
import { useSyncExternalStore } from 'react';

export type Path = '/' | '/risk';

const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener('popstate', listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener('popstate', listener);
  };
}

function changed(): void {
  for (const listener of listeners) listener();
}

/** Return the page that is asked for; an address that no page has shows the first one. */
export function usePath(): Path {
  return useSyncExternalStore(subscribe, () =>
    window.location.pathname.replace(/\/+$/, '') === '/risk' ? '/risk' : '/',
  );
}

let isWalking = false;

/** Whether somebody has gone from page to page since the dashboard was loaded. */
export function hasNavigated(): boolean {
  return isWalking;
}

export function navigate(path: Path): void {
  isWalking = true;
  window.history.pushState(null, '', path);
  changed();
  window.scrollTo(0, 0);
}

/** Return a part of the address behind the question mark, "" where it is not there. */
export function useParameter(name: string): string {
  return useSyncExternalStore(subscribe, () => new URLSearchParams(window.location.search).get(name) ?? '');
}

/** Change a part of the address without a new entry in the history. */
export function setParameter(name: string, value: string): void {
  const parameters = new URLSearchParams(window.location.search);
  parameters.set(name, value);
  // A colon may stand in a query; readable addresses are worth it.
  const text = parameters.toString().replaceAll('%3A', ':');
  window.history.replaceState(null, '', `${window.location.pathname}?${text}`);
  changed();
}
