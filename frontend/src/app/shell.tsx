import { ActionIcon, Button, useComputedColorScheme, useMantineColorScheme } from '@mantine/core';
import { type ReactNode, useEffect, useRef } from 'react';

import type { Me } from '../client';
import { BellIcon, ToneIcon } from '../components/icons';
import { KillSwitch } from '../features/risk/kill-switch';
import { formatDay, formatTime } from '../lib/format';
import { hasNavigated, usePath } from '../lib/route';
import { setToken } from '../lib/session';
import { useLive } from '../stream/live-store';
import { Nav, PAGES } from './nav';

interface ShellProps {
  me: Me | undefined;
  day: string | undefined;
  children: ReactNode;
}

/** Frame the page: who and when, whether it is live, and the way to stop everything. */
export function Shell({ me, day, children }: ShellProps) {
  const state = useLive((store) => store.state);
  const path = usePath();
  const title = PAGES.find((page) => page.path === path)?.title ?? '';
  const main = useRef<HTMLElement>(null);
  useEffect(() => {
    document.title = `${title} · Openbell`;
    // A page that was walked to takes the focus with it; one that was loaded leaves it where it is.
    if (hasNavigated()) main.current?.focus();
  }, [title]);
  return (
    <>
      <header className="top">
        <span className="brand">
          <BellIcon /> <span className="wide-only">Openbell</span>
        </span>
        <Nav />
        <h1 className="top-day">
          <span className="spoken">{title}, </span>
          {day !== undefined && formatDay(day)}
        </h1>
        <Clock />
        <span className="top-space" />
        <span className="connection" role="status">
          <ToneIcon tone={state === 'live' ? 'good' : 'bad'} size={12} />{' '}
          {state === 'live' ? 'live' : 'not live'}
        </span>
        <SchemeButton />
        {me !== undefined && (
          <>
            <Button
              size="xs"
              variant="subtle"
              color="gray"
              title="Sign out"
              onClick={() => {
                setToken(null);
              }}
            >
              {me.name} · sign out
            </Button>
            <KillSwitch me={me} />
          </>
        )}
      </header>
      {state === 'stale' && (
        <div className="stale-banner" role="alert">
          <ToneIcon tone="warn" /> Not connected: what you see may be old. Connecting again…
        </div>
      )}
      <main ref={main} tabIndex={-1} className={state === 'live' ? 'page' : 'page is-stale'}>
        {children}
      </main>
    </>
  );
}

function Clock() {
  const now = useLive((store) => store.now);
  return (
    <time className="num top-clock" title="The platform's time in India">
      {formatTime(now)}
      <span className="wide-only"> IST</span>
    </time>
  );
}

function SchemeButton() {
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme('light');
  return (
    <ActionIcon
      variant="subtle"
      color="gray"
      aria-label={scheme === 'dark' ? 'Use light colours' : 'Use dark colours'}
      onClick={() => {
        setColorScheme(scheme === 'dark' ? 'light' : 'dark');
      }}
    >
      {scheme === 'dark' ? '☀' : '☾'}
    </ActionIcon>
  );
}
