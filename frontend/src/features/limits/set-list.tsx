import { labelOf } from './limit-names';
import { inOrder, writeValue, type WrittenSet } from './limit-values';

/** A set in words. */
export function SetList({ values, currency }: { values: WrittenSet; currency: string }) {
  const named = inOrder(values);
  if (named.length === 0) return <span className="dim">limits nothing</span>;
  return (
    <ul className="set-list">
      {named.map(([name, value]) => (
        <li key={name}>
          {labelOf(name)}: <b className="num">{writeValue(name, value, currency)}</b>
        </li>
      ))}
    </ul>
  );
}
