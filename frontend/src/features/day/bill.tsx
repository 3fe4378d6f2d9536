import type { Charge, ChargeBasis, PnlInfo } from '../../client';
import { formatBill } from '../../lib/format';

const NAMES = {
  brokerage: 'Brokerage',
  stt: 'STT',
  transaction: 'Exchange',
  ipft: 'IPFT',
  sebi: 'SEBI',
  stamp: 'Stamp duty',
  gst: 'GST',
  trade_fee: 'Trading fee',
  commission: 'Commission',
  funding: 'Funding',
  swap: 'Swap',
} satisfies Record<Charge, string>;
const names = new Map<string, string>(Object.entries(NAMES));
const BASES: Record<ChargeBasis, string> = {
  NONE: 'no executed order',
  MODEL: 'reckoned from dated rates',
  BROKER: 'as the broker reported them',
  MIXED: 'as the broker reported them where it did, else reckoned from dated rates',
};

/** The way from gross to net: every charge, and whose word it rests on. */
export function Bill({ sums }: { sums: PnlInfo[] }) {
  return (
    <details className="bill">
      <summary>Charges and basis</summary>
      {sums.map((pnl) => (
        <table key={pnl.currency}>
          <caption>
            {pnl.currency}: charges {BASES[pnl.basis]}
            {pnl.unconfirmed.length > 0 &&
              `; rates without a primary source: ${pnl.unconfirmed.map((name) => NAMES[name]).join(', ')}`}
            {pnl.uncharged > 0 && `; ${pnl.uncharged} orders have no rates and are not charged`}
          </caption>
          <tbody>
            <Line name="Realized" value={pnl.realized} currency={pnl.currency} />
            <Line
              name="Unrealized, at the feed's last price"
              value={pnl.unrealized}
              currency={pnl.currency}
            />
            <Line name="Gross" value={pnl.total} currency={pnl.currency} />
            {Object.entries(pnl.lines).map(([charge, amount]) => (
              <Line key={charge} name={names.get(charge) ?? charge} value={amount} currency={pnl.currency} />
            ))}
            <Line name="All charges" value={pnl.charges} currency={pnl.currency} />
            <Line name="Net" value={pnl.net} currency={pnl.currency} />
          </tbody>
        </table>
      ))}
    </details>
  );
}

function Line({ name, value, currency }: { name: string; value: string; currency: string }) {
  return (
    <tr>
      <th scope="row">{name}</th>
      <td className="num right">{formatBill(value, currency)}</td>
    </tr>
  );
}
