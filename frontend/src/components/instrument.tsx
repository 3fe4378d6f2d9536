import { formatInstrument } from '../lib/format';

/** An instrument's name; narrow screens leave out underlying and expiry, which the title still tells. */
export function Instrument({ id }: { id: string }) {
  const name = formatInstrument(id);
  const [, prefix = '', contract = name] = /^(.*) ([\d.]+ (?:CE|PE))$/.exec(name) ?? [];
  return (
    <span title={name}>
      {prefix !== '' && <span className="wide-only">{prefix} </span>}
      {contract}
    </span>
  );
}
