import { formatPnl, signOf } from '../lib/format';

/** Profit or loss: the written sign carries the meaning, the colour only helps. */
export function Pnl({ value }: { value: string | null }) {
  return <span className={`num pnl-${signOf(value)}`}>{formatPnl(value)}</span>;
}
