import { Alert, Loader } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';

import type { EvidenceEntry, EvidenceSource, OrderEvent } from '../../client';
import { showUnknownOrderOptions } from '../../client/@tanstack/react-query.gen';
import { type Tone, ToneIcon } from '../../components/icons';
import { formatDuration, formatTime } from '../../lib/format';
import { describeProblem } from '../../lib/problem';

const PERIOD_MS = 2_000;
const SOURCES: Record<EvidenceSource, string> = {
  TAG: 'Tag',
  ORDERS: 'Orders',
  TRADES: 'Trades',
  STREAM: 'Stream',
  OPERATOR: 'Operator',
};

interface Item {
  key: string;
  at: string;
  source: string;
  text: string;
  note: string;
  tone: Tone;
}

/** Show what was asked and answered, and every look since, oldest first. */
export function EvidenceTimeline({ orderId }: { orderId: number }) {
  const { data, error } = useQuery({
    ...showUnknownOrderOptions({ path: { order_id: orderId } }),
    refetchInterval: PERIOD_MS,
  });
  if (error !== null) {
    return (
      <Alert color="red" role="alert">
        {describeProblem(error)}
      </Alert>
    );
  }
  if (data === undefined) return <Loader size="sm" m="sm" aria-label="Loading the evidence" />;
  const items = [...data.events.map(eventItem), ...data.evidence.map(lookItem)];
  items.sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
  return (
    <ol className="evidence" aria-label={`Evidence about order ${orderId}`}>
      {items.map((item) => (
        <li key={item.key}>
          <ToneIcon tone={item.tone} size={12} />
          <time className="num" dateTime={item.at}>
            {formatTime(item.at)}
          </time>
          <span className="evidence-source">{item.source}</span>
          <span className="evidence-text">
            {item.text} {item.note !== '' && <span className="dim">{item.note}</span>}
          </span>
        </li>
      ))}
    </ol>
  );
}

function eventItem(event: OrderEvent): Item {
  const { message, code, broker_order_id: number } = event.details;
  const told = [message, code, number].filter((value) => typeof value === 'string' && value !== '');
  return {
    key: `event-${event.id}`,
    at: event.ts_init,
    source: 'Order',
    text: event.kind.toLowerCase().replaceAll('_', ' '),
    note: told.join(' · '),
    tone: event.kind === 'OUTCOME_UNKNOWN' ? 'warn' : 'idle',
  };
}

function lookItem(entry: EvidenceEntry): Item {
  return {
    key: `look-${entry.id}`,
    at: entry.ts_init,
    source: SOURCES[entry.source],
    text: entry.seen,
    note: [times(entry), worth(entry)].filter((part) => part !== '').join(' · '),
    tone: toneOf(entry),
  };
}

function times(entry: EvidenceEntry): string {
  if (entry.looks === 1) return '';
  const seconds = (Date.parse(entry.last_wall) - Date.parse(entry.first_wall)) / 1000;
  return `${entry.looks} equal looks within ${formatDuration(seconds)}`;
}

function worth(entry: EvidenceEntry): string {
  if (!entry.is_clean) return 'proves nothing';
  if (entry.source !== 'TAG' || entry.broker_order_ids.length > 0) return '';
  return entry.is_proof ? 'counts as proof of absence' : 'too early to prove absence';
}

function toneOf(entry: EvidenceEntry): Tone {
  if (!entry.is_clean || entry.broker_order_ids.length > 0) return 'warn';
  return entry.is_proof || entry.source === 'OPERATOR' ? 'good' : 'idle';
}
