import type { Order, OrderStatus } from '../../client';
import { type Tone, ToneIcon } from '../../components/icons';

const TONES: Record<OrderStatus, Tone> = {
  INITIALIZED: 'idle',
  DENIED: 'bad',
  SUBMITTED: 'busy',
  ACCEPTED: 'busy',
  TRIGGERED: 'busy',
  PENDING_UPDATE: 'busy',
  PENDING_CANCEL: 'busy',
  PARTIALLY_FILLED: 'busy',
  FILLED: 'good',
  CANCELED: 'idle',
  REJECTED: 'bad',
  EXPIRED: 'idle',
};

const ENDED: ReadonlySet<OrderStatus> = new Set(['DENIED', 'FILLED', 'CANCELED', 'REJECTED', 'EXPIRED']);

export function isWorking(order: Order): boolean {
  return !ENDED.has(order.status);
}

export function isProblem(order: Order): boolean {
  return order.is_unknown || order.status === 'REJECTED' || order.status === 'DENIED';
}

/** An order's state as sign and word; an unproven outcome is said first. */
export function OrderState({ order }: { order: Order }) {
  const why = order.denial_code ?? order.reject_reason;
  const word = order.is_unknown ? 'unknown' : order.status.toLowerCase().replaceAll('_', ' ');
  return (
    <span className="state" title={why === '' ? word : `${word}: ${why}`}>
      <ToneIcon tone={order.is_unknown ? 'warn' : TONES[order.status]} size={12} />
      {word}
      {why !== '' && <span className="dim"> {why}</span>}
    </span>
  );
}
