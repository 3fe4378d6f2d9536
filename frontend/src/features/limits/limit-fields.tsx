import { TextInput } from '@mantine/core';

import type { LimitInForce } from '../../client';
import { labelOf, LIMIT_GROUPS, LIMITS, type LimitKind } from './limit-names';
import { type Draft, writeValue } from './limit-values';

interface LimitFieldsProps {
  draft: Draft;
  inForce: LimitInForce[];
  currency: string;
  onChange: (draft: Draft) => void;
}

/** One field for each limit, with what binds now beside it. */
export function LimitFields({ draft, inForce, currency, onChange }: LimitFieldsProps) {
  const known = new Set(LIMITS.map(({ name }) => name));
  // What a newer platform knows must not get lost when the whole set is replaced.
  const others = Object.keys(draft).filter((name) => !known.has(name));
  const groups = [
    ...LIMIT_GROUPS.map(({ title, limits }) => ({ title, names: limits.map(({ name }) => name) })),
    ...(others.length === 0 ? [] : [{ title: 'Others', names: others }]),
  ];
  return (
    <div className="limit-groups">
      {groups.map(({ title, names }) => (
        <fieldset key={title} className="limit-group">
          <legend>{title}</legend>
          {names.map((name) => (
            <TextInput
              key={name}
              size="sm"
              label={`${labelOf(name)}${unitOf(name, currency)}`}
              description={bindingNow(name, inForce, currency)}
              inputMode={kindsInDecimals.has(name) ? 'decimal' : 'text'}
              autoComplete="off"
              value={draft[name] ?? ''}
              onChange={(event) => {
                onChange({ ...draft, [name]: event.currentTarget.value });
              }}
            />
          ))}
        </fieldset>
      ))}
    </div>
  );
}

const UNITS: Record<LimitKind, string> = {
  amount: '',
  count: '',
  fraction: '',
  price: ', in price',
  seconds: ', seconds',
  symbols: ', with commas',
  word: '',
};
const kinds = new Map(LIMITS.map(({ name, kind }) => [name, kind]));
const kindsInDecimals = new Set(
  LIMITS.filter(({ kind }) => kind !== 'symbols' && kind !== 'word').map(({ name }) => name),
);

function unitOf(name: string, currency: string): string {
  const kind = kinds.get(name);
  if (kind === undefined) return '';
  return kind === 'amount' ? `, ${currency === '' ? "account's currency" : currency}` : UNITS[kind];
}

function bindingNow(name: string, inForce: LimitInForce[], currency: string): string {
  const binding = inForce.filter((limit) => limit.name === name);
  if (binding.length === 0) return 'not limited now';
  return `binds now: ${binding.map(({ value }) => writeValue(name, value, currency)).join(' and ')}`;
}
