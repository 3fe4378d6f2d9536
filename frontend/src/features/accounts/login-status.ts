import type { LoginReason, LoginStatus } from '../../client';
import type { Tone } from '../../components/icons';

export const STATUS: Record<LoginStatus, { tone: Tone; word: string }> = {
  READY: { tone: 'good', word: 'ready' },
  LOGGED_IN: { tone: 'busy', word: 'logged in, being verified' },
  LOGGING_IN: { tone: 'busy', word: 'logging in' },
  PENDING: { tone: 'idle', word: 'waiting for its turn' },
  FAILED: { tone: 'bad', word: 'failed' },
};

/** Say what is wrong and what to do, for every reason that the server knows. */
export const REMEDY: Record<LoginReason, { problem: string; remedy: string }> = {
  none: { problem: 'No reason given', remedy: 'Look at the detail, then try again.' },
  bad_credentials: {
    problem: 'Wrong credentials',
    remedy: 'Set them again: openbell accounts set-credentials.',
  },
  bad_totp: {
    problem: 'TOTP code refused',
    remedy: 'Check the TOTP seed and the machine’s clock, set the seed again.',
  },
  ip_denied: {
    problem: 'Address not registered',
    remedy: 'Register the account’s address with the broker, or set its egress.',
  },
  egress_down: { problem: 'No way out', remedy: 'Check the account’s egress address or proxy.' },
  timeout: {
    problem: 'No answer in time',
    remedy: 'It is tried again by itself; check the broker’s status.',
  },
  broker_down: { problem: 'Broker unavailable', remedy: 'It is tried again by itself.' },
  protocol: {
    problem: 'Unreadable answer',
    remedy: 'The broker may have changed its API: report it with the detail.',
  },
  paper_mode: {
    problem: 'On paper, and the broker is live',
    remedy: 'Switch it live, or trade on an account with the broker paper.',
  },
  no_credentials: {
    problem: 'No credentials stored',
    remedy: 'Store them: openbell accounts set-credentials.',
  },
};
