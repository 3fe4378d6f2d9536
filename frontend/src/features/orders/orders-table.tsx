import { SegmentedControl, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';

import type { Order } from '../../client';
import { type Column, DataTable } from '../../components/data-table';
import { Instrument } from '../../components/instrument';
import { Panel } from '../../components/panel';
import { Time } from '../../components/time';
import { formatInstrument, formatPrice } from '../../lib/format';
import { ordersOptions } from '../../stream/orders-query';
import { isProblem, isWorking, OrderState } from './order-status';

const FILTERS: Record<string, (order: Order) => boolean> = {
  all: () => true,
  working: isWorking,
  problems: isProblem,
};

const COLUMNS: Column<Order>[] = [
  { key: 'time', title: 'Time', width: 74, isNumber: true, render: (order) => <Time at={order.ts_init} /> },
  { key: 'account', title: 'Account', render: (order) => order.account_name },
  { key: 'instrument', title: 'Contract', render: (order) => <Instrument id={order.instrument_id} /> },
  { key: 'role', title: 'Role', isExtra: true, render: (order) => order.role.toLowerCase() },
  { key: 'side', title: 'Side', render: (order) => <Side order={order} /> },
  {
    key: 'filled',
    title: 'Filled',
    isNumber: true,
    isExtra: true,
    render: (order) => `${order.filled_qty} / ${order.quantity}`,
  },
  {
    key: 'price',
    title: 'Price',
    isNumber: true,
    isExtra: true,
    render: (order) => formatPrice(order.avg_px ?? order.price ?? order.trigger_price, order.instrument_id),
  },
  { key: 'state', title: 'State', isFlexible: true, render: (order) => <OrderState order={order} /> },
];

/** Show the day's orders, newest first, as they change. */
export function OrdersTable() {
  const { data: orders = [] } = useQuery(ordersOptions);
  const [filter, setFilter] = useState('all');
  const [text, setText] = useState('');
  const shown = useMemo(() => {
    const wanted = text.trim().toLowerCase();
    const passes = FILTERS[filter] ?? FILTERS.all;
    return orders.filter((order) => passes?.(order) === true && searchText(order).includes(wanted));
  }, [orders, filter, text]);
  return (
    <Panel
      title="Orders"
      note={shown.length === orders.length ? `${orders.length}` : `${shown.length} of ${orders.length}`}
      actions={
        <>
          <TextInput
            size="xs"
            placeholder="Account or instrument"
            aria-label="Search orders"
            value={text}
            onChange={(event) => {
              setText(event.currentTarget.value);
            }}
          />
          <SegmentedControl
            size="xs"
            aria-label="Which orders"
            value={filter}
            onChange={setFilter}
            data={[
              { value: 'all', label: 'All' },
              { value: 'working', label: 'Working' },
              { value: 'problems', label: 'Problems' },
            ]}
          />
        </>
      }
    >
      <DataTable
        label="Orders"
        rows={shown}
        columns={COLUMNS}
        rowKey={(order) => order.id}
        empty={orders.length === 0 ? 'No orders yet today.' : 'No order matches.'}
      />
    </Panel>
  );
}

function searchText(order: Order): string {
  return `${order.account_name} ${order.user_name} ${formatInstrument(order.instrument_id)}`.toLowerCase();
}

function Side({ order }: { order: Order }) {
  const isBuy = order.side === 'BUY';
  return <span className={isBuy ? 'side-buy' : 'side-sell'}>{isBuy ? '▲ buy' : '▼ sell'}</span>;
}
