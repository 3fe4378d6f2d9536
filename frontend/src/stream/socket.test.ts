import { ws } from 'msw';
import { expect, it, vi } from 'vitest';

import type { StreamFrame } from '../client';
import { server } from '../testing/server';
import { Stream, type StreamState } from './socket';

const URL = 'ws://localhost/ws';
const AT = '2026-11-20T04:42:00+00:00';
const link = ws.link(URL);

function open() {
  const seen = { frames: new Array<StreamFrame>(), states: new Array<StreamState>(), gaps: 0, refusals: 0 };
  const stream = new Stream(URL, () => 'my token', {
    onFrame: (frame) => seen.frames.push(frame),
    onGap: () => (seen.gaps += 1),
    onState: (state) => seen.states.push(state),
    onUnauthorized: () => (seen.refusals += 1),
  });
  stream.open();
  return { stream, seen };
}

function frame(seq: number, type: 'hello' | 'heartbeat'): string {
  return JSON.stringify({ seq, at: AT, type, data: null });
}

it('sends the token in the first message and is live after the hello', async () => {
  const tokens: unknown[] = [];
  server.use(
    link.addEventListener('connection', ({ client }) => {
      client.addEventListener('message', (event) => {
        tokens.push(event.data);
        client.send(frame(1, 'hello'));
      });
    }),
  );
  const { stream, seen } = open();

  await vi.waitFor(() => {
    expect(seen.states).toEqual(['connecting', 'live']);
  });
  expect(tokens).toEqual(['{"token":"my token"}']);
  expect(seen.gaps).toBe(1);
  stream.close();
});

it('asks for everything again when a frame is missing, and only then', async () => {
  server.use(
    link.addEventListener('connection', ({ client }) => {
      client.addEventListener('message', () => {
        for (const seq of [2, 3, 7, 8]) client.send(frame(seq, 'heartbeat'));
      });
      client.addEventListener('message', () => {
        client.send(frame(9, 'heartbeat'));
      });
    }),
  );
  const { stream, seen } = open();

  await vi.waitFor(() => {
    expect(seen.frames.map((f) => f.seq)).toEqual([2, 3, 7, 8, 9]);
  });
  expect(seen.gaps).toBe(2); // before 2 (the first was lost) and between 3 and 7
  stream.close();
});

it('is stale at once when the connection breaks, and comes back by itself', async () => {
  let connections = 0;
  server.use(
    link.addEventListener('connection', ({ client }) => {
      connections += 1;
      if (connections === 1) client.close();
      else
        client.addEventListener('message', () => {
          client.send(frame(1, 'hello'));
        });
    }),
  );
  const { stream, seen } = open();

  await vi.waitFor(
    () => {
      expect(seen.states).toEqual(['connecting', 'stale', 'connecting', 'live']);
    },
    { timeout: 5_000 },
  );
  stream.close();
});

it('does not knock again when the token is refused', async () => {
  server.use(
    link.addEventListener('connection', ({ client }) => {
      client.close(4401, 'sign in again');
    }),
  );
  const { stream, seen } = open();

  await vi.waitFor(() => {
    expect(seen.refusals).toBe(1);
  });
  expect(seen.states).toEqual(['connecting', 'stale']);
  stream.close();
});
