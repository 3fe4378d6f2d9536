/** Keep one WebSocket to the server: token first, reconnect with back-off, notice gaps and silence. */
import type { StreamFrame } from '../client';

export type StreamState = 'connecting' | 'live' | 'stale';

export interface StreamHandlers {
  onFrame: (frame: StreamFrame) => void;
  /** Frames were lost, or the connection is new: fetch everything again. */
  onGap: () => void;
  onState: (state: StreamState) => void;
  onUnauthorized: () => void;
}

const SILENCE_MS = 4_000;
const FIRST_RETRY_MS = 300;
const LONGEST_RETRY_MS = 5_000;
const UNAUTHORIZED = 4401;

export class Stream {
  private socket: WebSocket | null = null;
  private lastSeq = 0;
  private retryMs = FIRST_RETRY_MS;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private isClosed = false;

  constructor(
    private readonly url: string,
    private readonly getToken: () => string | null,
    private readonly handlers: StreamHandlers,
  ) {}

  open(): void {
    this.handlers.onState('connecting');
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.addEventListener('open', () => {
      this.sendToken();
    });
    socket.addEventListener('message', (event: MessageEvent<string>) => {
      if (socket === this.socket) this.receive(event.data);
    });
    socket.addEventListener('close', (event) => {
      if (socket === this.socket) this.lost(event.code);
    });
    this.listenForSilence();
  }

  /** Send the present token: the first one opens the stream, a renewed one prolongs it. */
  sendToken(): void {
    const token = this.getToken();
    if (token !== null && this.socket?.readyState === WebSocket.OPEN) {
      this.socket.send(JSON.stringify({ token }));
    }
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.timer);
    clearTimeout(this.silence);
    this.socket?.close();
  }

  private receive(text: string): void {
    const frame = JSON.parse(text) as StreamFrame;
    this.listenForSilence();
    if (frame.type === 'hello') {
      this.retryMs = FIRST_RETRY_MS;
      this.handlers.onState('live');
      this.handlers.onGap();
    } else if (frame.seq !== this.lastSeq + 1) {
      this.handlers.onGap();
    }
    this.lastSeq = frame.seq;
    this.handlers.onFrame(frame);
  }

  private lost(code: number): void {
    clearTimeout(this.silence);
    this.socket = null;
    if (this.isClosed) return;
    this.handlers.onState('stale');
    if (code === UNAUTHORIZED) {
      this.handlers.onUnauthorized();
      return;
    }
    this.timer = setTimeout(() => {
      this.open();
    }, this.retryMs);
    this.retryMs = Math.min(this.retryMs * 2, LONGEST_RETRY_MS);
  }

  private listenForSilence(): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => {
      // The server beats every second: silence means that what is shown may be old.
      this.socket?.close();
      this.lost(0);
    }, SILENCE_MS);
  }
}
