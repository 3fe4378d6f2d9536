/** Keep who is signed in: the token lives in this tab only and is renewed while the page is open. */
import { useSyncExternalStore } from 'react';

import { renewToken, type Token } from '../client';
import { client } from '../client/client.gen';

const KEY = 'openbell.token';
const RENEW_MS = 10 * 60_000;

const listeners = new Set<() => void>();

export function getToken(): string | null {
  return sessionStorage.getItem(KEY);
}

export function setToken(token: Token | null): void {
  if (token === null) sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, token.token);
  for (const listener of listeners) listener();
}

export function useToken(): string | null {
  return useSyncExternalStore(subscribe, getToken);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Put the token on every request; a refused token signs out. */
export function configureClient(): void {
  client.setConfig({ baseUrl: window.location.origin, auth: () => getToken() ?? undefined });
  client.interceptors.response.use((response) => {
    if (response.status === 401) setToken(null);
    return response;
  });
}

export function keepSignedIn(onRenewed: () => void): () => void {
  const timer = setInterval(() => {
    void renewToken().then(({ data }) => {
      if (data === undefined || getToken() === null) return;
      setToken(data);
      onRenewed();
    });
  }, RENEW_MS);
  return () => {
    clearInterval(timer);
  };
}
