import { useQuery } from '@tanstack/react-query';

import type { Position } from '../../client';
import { listPositionsOptions } from '../../client/@tanstack/react-query.gen';
import { type Column, DataTable } from '../../components/data-table';
import { ToneIcon } from '../../components/icons';
import { Instrument } from '../../components/instrument';
import { Panel } from '../../components/panel';
import { Pnl } from '../../components/pnl';
import { formatPrice } from '../../lib/format';
import { legKey, useLive } from '../../stream/live-store';

const COLUMNS: Column<Position>[] = [
  { key: 'account', title: 'Account', render: (leg) => leg.account_name },
  { key: 'instrument', title: 'Contract', render: (leg) => <Instrument id={leg.instrument_id} /> },
  { key: 'net', title: 'Net', isNumber: true, render: (leg) => leg.net_qty.replace('-', '−') },
  {
    key: 'entry',
    title: 'Entry',
    isNumber: true,
    isExtra: true,
    render: (leg) => formatPrice(leg.entry_px, leg.instrument_id),
  },
  { key: 'mark', title: 'Mark', isNumber: true, isExtra: true, render: (leg) => <Mark leg={leg} /> },
  { key: 'pnl', title: 'P&L ₹', isNumber: true, render: (leg) => <LegPnl leg={leg} /> },
  { key: 'stop', title: 'Stop', render: (leg) => <Protection leg={leg} /> },
];

/** Show positions with their live value: open ones first. */
export function PositionsTable() {
  const { data: legs = [] } = useQuery(listPositionsOptions());
  const open = legs.filter((leg) => leg.net_qty !== '0');
  const closed = legs.filter((leg) => leg.net_qty === '0');
  return (
    <Panel title="Positions" note={`${open.length} open, ${closed.length} closed`}>
      <DataTable
        label="Positions"
        rows={[...open, ...closed]}
        columns={COLUMNS}
        rowKey={legKey}
        empty="No positions today."
      />
    </Panel>
  );
}

function Mark({ leg }: { leg: Position }) {
  const moved = useLive((store) => store.leg(legKey(leg)));
  const mark = leg.net_qty === '0' ? null : (moved?.mark ?? leg.mark);
  return <>{formatPrice(mark, leg.instrument_id)}</>;
}

function LegPnl({ leg }: { leg: Position }) {
  const moved = useLive((store) => store.leg(legKey(leg)));
  const total = leg.net_qty === '0' ? leg.total : (moved?.total ?? leg.total);
  return <Pnl value={total} currency={leg.currency} hidesRupees />;
}

function Protection({ leg }: { leg: Position }) {
  if (leg.net_qty === '0') return <span className="dim">closed</span>;
  if (leg.exit_reason !== null) {
    return (
      <span className="state" title={leg.exit_reason}>
        <ToneIcon tone="busy" size={12} /> leaving
      </span>
    );
  }
  const isBare = leg.exposed_since !== null;
  return (
    <span className="state">
      <ToneIcon tone={isBare ? 'bad' : 'good'} size={12} />{' '}
      {isBare ? 'no stop' : <span className="spoken-if-narrow">stop set</span>}
    </span>
  );
}
