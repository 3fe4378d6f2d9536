import { Fragment, type ReactNode } from 'react';

import type { PnlInfo, Summary } from '../../client';
import { type Tone, ToneIcon } from '../../components/icons';
import { Pnl } from '../../components/pnl';
import { useLive } from '../../stream/live-store';
import { Bill } from './bill';

interface CountProps {
  label: string;
  tone: Tone;
  value: ReactNode;
  note: ReactNode;
}

function Count({ label, tone, value, note }: CountProps) {
  return (
    <div className="count">
      <dt>
        <ToneIcon tone={tone} />
        {label}
      </dt>
      <dd className="count-value num">{value}</dd>
      <dd className="count-note">{note}</dd>
    </div>
  );
}

/** Show the four numbers that an operator asks for first. */
export function Counts({ summary }: { summary: Summary }) {
  const { accounts, loops, orders } = summary;
  const hasRuns = loops.runs_wanted > 0;
  return (
    <dl className="counts">
      <Count
        label="Accounts ready"
        tone={accounts.failed > 0 ? 'bad' : accounts.waiting > 0 ? 'busy' : 'good'}
        value={<Of part={accounts.ready} whole={accounts.total} />}
        note={listParts([
          [accounts.failed, 'failed'],
          [accounts.waiting, 'waiting'],
          [accounts.halted, 'halted'],
          [accounts.reducing, 'reducing'],
        ])}
      />
      <Count
        label={hasRuns ? 'Runs live' : 'Strategies armed'}
        tone={loops.runs_alive < loops.runs_wanted ? 'bad' : 'good'}
        value={
          hasRuns ? (
            <Of part={loops.runs_alive} whole={loops.runs_wanted} />
          ) : (
            <Of part={loops.deployments_armed} whole={loops.deployments_active} />
          )
        }
        note={`${loops.deployments_armed} of ${loops.deployments_active} strategies armed`}
      />
      <Count
        label="Orders"
        tone={orders.unknown > 0 ? 'warn' : orders.rejected > 0 ? 'warn' : 'good'}
        value={orders.total}
        note={listParts([
          [orders.working, 'working'],
          [orders.filled, 'filled'],
          [orders.rejected, 'rejected'],
          [orders.denied, 'denied'],
          [orders.unknown, 'unknown'],
        ])}
      />
      <PnlCount summary={summary} />
    </dl>
  );
}

type PnlSummary = Pick<Summary, 'pnl' | 'open_positions' | 'unprotected_positions'>;

export function PnlCount({ summary }: { summary: PnlSummary }) {
  const sums = useLive((store) => store.pnl) ?? summary.pnl;
  const bare = summary.unprotected_positions;
  const unmarked = sums.reduce((count, pnl) => count + pnl.unmarked, 0);
  return (
    <Count
      label="Profit and loss"
      tone={bare > 0 ? 'bad' : unmarked > 0 ? 'warn' : 'good'}
      value={<Totals sums={sums} />}
      note={
        <>
          {sums.map((pnl, index) => (
            <Fragment key={pnl.currency}>
              {index > 0 && ', '}
              <Pnl value={pnl.realized} currency={pnl.currency} />
            </Fragment>
          ))}
          {' realized'} · {summary.open_positions} open
          {bare > 0 && <b> · {bare} without stop</b>}
          {unmarked > 0 && ` · ${unmarked} without price`}
          <Bill sums={sums} />
        </>
      }
    />
  );
}

/** Each currency on a line of its own, because they do not add up: before charges, and after them. */
function Totals({ sums }: { sums: PnlInfo[] }) {
  return (
    <ul className={sums.length > 1 ? 'totals' : undefined}>
      {sums.map((pnl) => (
        <li key={pnl.currency}>
          <Pnl value={pnl.total} currency={pnl.currency} />
          <span className="of">
            {' net '}
            <Pnl value={pnl.net} currency={pnl.currency} />
          </span>
        </li>
      ))}
    </ul>
  );
}

function Of({ part, whole }: { part: number; whole: number }) {
  return (
    <>
      {part}
      <span className="of"> / {whole}</span>
    </>
  );
}

function listParts(parts: [number, string][]): string {
  const shown = parts.filter(([count]) => count > 0).map(([count, word]) => `${count} ${word}`);
  return shown.length === 0 ? 'none waiting' : shown.join(' · ');
}
