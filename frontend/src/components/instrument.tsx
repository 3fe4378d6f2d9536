import { formatInstrument } from '../lib/format';

/** An instrument's name; narrow screens leave out underlying, expiry and venue, which the title still tells. */
export function Instrument({ id }: { id: string }) {
  const name = formatInstrument(id);
  const [, prefix = '', contract = name] = /^(.*) ([\d.]+ (?:CE|PE))$/.exec(name) ?? [];
  const [, symbol = contract, venue = ''] = /^(\w+)(\.\w+)$/.exec(contract) ?? [];
  return (
    <span title={name}>
      {prefix !== '' && <span className="wide-only">{prefix} </span>}
      {symbol}
      {venue !== '' && <span className="wide-only">{venue}</span>}
    </span>
  );
}
