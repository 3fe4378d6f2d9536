import { useQuery } from '@tanstack/react-query';

import type { EquityPoint } from '../../client';
import {
  listAccountEquityOptions,
  listDeploymentEquityOptions,
} from '../../client/@tanstack/react-query.gen';
import { Asked } from '../../components/asked';
import { Panel } from '../../components/panel';
import { Pnl } from '../../components/pnl';
import { Records } from '../../components/records';
import { formatAmount, formatShortTime } from '../../lib/format';
import type { Subject } from '../../lib/scopes';
import { EquityChart } from './equity-chart';

const PERIOD_MS = 15_000;

/** Show the course of a subject's profit and loss today, with its peak. */
export function EquityPanel({ subject, currency }: { subject: Subject; currency: string }) {
  const isAccount = subject.kind === 'account';
  const ofAccount = useQuery({
    ...listAccountEquityOptions({ path: { account_id: subject.id } }),
    enabled: isAccount,
    refetchInterval: PERIOD_MS,
  });
  const ofDeployment = useQuery({
    ...listDeploymentEquityOptions({ path: { deployment_id: subject.id } }),
    enabled: !isAccount,
    refetchInterval: PERIOD_MS,
  });
  const { data, error, isPending } = isAccount ? ofAccount : ofDeployment;
  const [first, ...rest] = data ?? [];
  return (
    <Panel title="Profit and loss today" note="realized + unrealized − charges">
      <Asked what="The course of profit and loss" error={error} isPending={isPending} />
      {data?.length === 0 && (
        <p className="empty">No point yet today: nothing was held, or the risk watch has not sampled it.</p>
      )}
      {first !== undefined && <Course points={[first, ...rest]} currency={currency} />}
    </Panel>
  );
}

function Course({ points, currency }: { points: [EquityPoint, ...EquityPoint[]]; currency: string }) {
  const last = points[points.length - 1] ?? points[0];
  return (
    <>
      <dl className="equity-numbers">
        <div>
          <dt>
            <span className="key-line" aria-hidden="true" /> at {formatShortTime(last.minute)}
          </dt>
          <dd>
            <Pnl value={last.net} currency={currency} />
          </dd>
        </div>
        <div>
          <dt>
            <span className="key-peak" aria-hidden="true" /> peak
          </dt>
          <dd>
            <Pnl value={last.peak} currency={currency} />
          </dd>
        </div>
        <div>
          <dt>realized</dt>
          <dd>
            <Pnl value={last.realized} currency={currency} />
          </dd>
        </div>
        <div>
          <dt>unrealized</dt>
          <dd>
            <Pnl value={last.unrealized} currency={currency} />
          </dd>
        </div>
        <div>
          <dt>charges{last.is_estimated ? ' (estimated)' : ''}</dt>
          <dd>{formatAmount(last.charges, currency)}</dd>
        </div>
      </dl>
      <EquityChart points={points} currency={currency} />
      <details className="basis">
        <summary>Points as a table</summary>
        <Records
          label="Points of profit and loss"
          rows={[...points].reverse()}
          fields={[
            { key: 'at', title: 'Minute', isNumber: true, render: (one) => formatShortTime(one.minute) },
            {
              key: 'net',
              title: 'Net',
              isNumber: true,
              render: (one) => <Pnl value={one.net} currency={currency} />,
            },
            {
              key: 'realized',
              title: 'Realized',
              isNumber: true,
              render: (one) => <Pnl value={one.realized} currency={currency} />,
            },
            {
              key: 'unrealized',
              title: 'Unrealized',
              isNumber: true,
              render: (one) => <Pnl value={one.unrealized} currency={currency} />,
            },
            {
              key: 'charges',
              title: 'Charges',
              isNumber: true,
              render: (one) => formatAmount(one.charges, currency),
            },
            {
              key: 'peak',
              title: 'Peak',
              isNumber: true,
              render: (one) => <Pnl value={one.peak} currency={currency} />,
            },
          ]}
          rowKey={(one) => one.minute}
          maxHeight={260}
        />
      </details>
    </>
  );
}
