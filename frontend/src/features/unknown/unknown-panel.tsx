import { Alert, Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import type { UnknownOrder } from '../../client';
import { listUnknownOrdersOptions } from '../../client/@tanstack/react-query.gen';
import { ToneIcon } from '../../components/icons';
import { Panel } from '../../components/panel';
import { formatDuration, formatInstrument, formatMoney } from '../../lib/format';
import { describeProblem } from '../../lib/problem';
import { EvidenceTimeline } from './evidence-timeline';
import { ResolveDialog } from './resolve-dialog';

const PERIOD_MS = 2_000;

/** Show the orders that nobody answered: what is at stake, how far the proof is, and a way to settle them. */
export function UnknownPanel({ canResolve }: { canResolve: boolean }) {
  const { data, error } = useQuery({
    ...listUnknownOrdersOptions(),
    refetchInterval: PERIOD_MS,
  });
  const orders = data ?? [];
  const [shown, setShown] = useState<number | null>(null);
  const [resolved, setResolved] = useState<UnknownOrder | null>(null);
  return (
    <>
      {(orders.length > 0 || error !== null) && (
        <Panel
          title="Unknown outcomes"
          note={data === undefined ? 'not known' : `${data.length} open`}
          className="unknown-panel"
        >
          {error !== null && (
            <Alert color="red" role="alert" title="Unknown outcomes cannot be loaded">
              {describeProblem(error)}
            </Alert>
          )}
          <ul className="unknown" aria-label="Orders with unknown outcome">
            {orders.map((order) => (
              <UnknownRow
                key={order.id}
                order={order}
                isShown={shown === order.id}
                onShow={() => {
                  setShown(shown === order.id ? null : order.id);
                }}
                onResolve={canResolve ? setResolved : undefined}
              />
            ))}
          </ul>
        </Panel>
      )}
      {resolved !== null && (
        <ResolveDialog
          order={resolved}
          onClose={() => {
            setResolved(null);
          }}
        />
      )}
    </>
  );
}

interface UnknownRowProps {
  order: UnknownOrder;
  isShown: boolean;
  onShow: () => void;
  onResolve?: (order: UnknownOrder) => void;
}

function UnknownRow({ order, isShown, onShow, onResolve }: UnknownRowProps) {
  const name = `${order.account_name}, order ${order.id}`;
  return (
    <li>
      <div className="unknown-row">
        <ToneIcon tone="warn" />
        <div className="unknown-text">
          <b>{order.account_name}</b> · {order.side.toLowerCase()}{' '}
          <span className="num">{order.quantity}</span> {formatInstrument(order.instrument_id)} ·{' '}
          {order.role.toLowerCase()}
          <div>
            {order.at_stake === null ? 'value not known' : <AtStake order={order} />}
            {order.age_s !== null && ` · sent ${formatDuration(order.age_s)} ago`} · missed by{' '}
            <span className="num">
              {order.clean_misses} of {order.misses_needed}
            </span>{' '}
            clean reads
          </div>
          <div className="dim">{order.next_step}</div>
          {order.lookalikes.length > 0 && (
            <div className="unknown-hint">
              May be broker order {order.lookalikes.join(', ')}, whose origin is unknown.
            </div>
          )}
        </div>
        <div className="unknown-actions">
          <Button
            size="compact-xs"
            variant="default"
            aria-expanded={isShown}
            aria-label={`Evidence about ${name}`}
            onClick={onShow}
          >
            {isShown ? 'Hide evidence' : 'Evidence'}
          </Button>
          {onResolve !== undefined && (
            <Button
              size="compact-xs"
              aria-label={`Resolve ${name}`}
              onClick={() => {
                onResolve(order);
              }}
            >
              Resolve
            </Button>
          )}
        </div>
      </div>
      {isShown && <EvidenceTimeline orderId={order.id} />}
    </li>
  );
}

/** The value of the whole order; it is no profit, so it has no sign. */
function AtStake({ order }: { order: UnknownOrder }) {
  return (
    <>
      <b className="num">{formatMoney(order.at_stake, order.currency).replace(/^\+/, '')}</b> at stake
    </>
  );
}
