import { formatMoney, formatPnl, signOf } from '../lib/format';

interface PnlProps {
  value: string | null;
  currency: string;
  /** Where a column is in rupees unless a cell says otherwise. */
  hidesRupees?: boolean;
}

/** Profit or loss: the written sign carries the meaning, the colour only helps. */
export function Pnl({ value, currency, hidesRupees = false }: PnlProps) {
  const write = hidesRupees && currency === 'INR' ? formatPnl : formatMoney;
  return <span className={`num pnl-${signOf(value)}`}>{write(value, currency)}</span>;
}
