/** Read and write sets of limits. Values stay the text that a person typed; the platform parses them. */
import { formatAmount } from '../../lib/format';
import { kindOf, LIMITS, placeOf } from './limit-names';

export type Written = string | string[];
export type WrittenSet = Record<string, Written>;
/** What stands in the fields of a form, by the name of the limit; "" is no limit. */
export type Draft = Record<string, string>;

export function writeValue(name: string, value: Written, currency: string): string {
  if (typeof value !== 'string') return value.join(', ');
  switch (kindOf(name)) {
    case 'amount':
      return currency === '' ? value : formatAmount(value, currency);
    case 'seconds':
      return `${value} s`;
    default:
      return value;
  }
}

export function inOrder(values: WrittenSet): [string, Written][] {
  return Object.entries(values).sort(([one], [other]) => placeOf(one) - placeOf(other));
}

export function draftOf(values: WrittenSet): Draft {
  const named = Object.entries(values).map(([name, value]) => [name, textOf(value)] as const);
  return { ...Object.fromEntries(LIMITS.map(({ name }) => [name, ''])), ...Object.fromEntries(named) };
}

function textOf(value: Written): string {
  return typeof value === 'string' ? value : value.join(', ');
}

/** The whole set that a form asks for; symbols are lists, everything else is text. */
export function setOf(draft: Draft): WrittenSet {
  const filled = Object.entries(draft).filter(([, text]) => text.trim() !== '');
  return Object.fromEntries(
    filled.map(([name, text]) => [name, kindOf(name) === 'symbols' ? symbolsOf(text) : text.trim()]),
  );
}

function symbolsOf(text: string): string[] {
  const words = text.toUpperCase().split(',');
  return words.map((word) => word.trim()).filter((word) => word !== '');
}

/** Whether two sets say the same; the order of names and symbols says nothing. */
export function isSameSet(one: Named, other: Named): boolean {
  return keyOf(one) === keyOf(other);
}

type Named = Record<string, Written | number>;

function keyOf(values: Named): string {
  const named = Object.entries(values).map(([name, value]): [string, string | number | string[]] => [
    name,
    Array.isArray(value) ? [...value].sort() : value,
  ]);
  return JSON.stringify(named.sort(([one], [other]) => one.localeCompare(other)));
}
