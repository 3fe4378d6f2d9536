/** Name every limit for people. tests/architecture keeps the names equal to those of the platform. */
export type LimitKind = 'amount' | 'count' | 'fraction' | 'price' | 'seconds' | 'symbols' | 'word';

export interface LimitName {
  name: string;
  label: string;
  kind: LimitKind;
}

export const LIMIT_GROUPS: { title: string; limits: LimitName[] }[] = [
  {
    title: 'Losses of the day',
    limits: [
      { name: 'max_daily_loss', label: 'Daily loss', kind: 'amount' },
      { name: 'max_drawdown', label: 'Drawdown from the peak', kind: 'amount' },
    ],
  },
  {
    title: 'Size',
    limits: [
      { name: 'max_lots', label: 'Lots of a leg', kind: 'count' },
      { name: 'max_order_notional', label: 'Value of an order', kind: 'amount' },
      { name: 'max_account_notional', label: 'Value held in the account', kind: 'amount' },
      { name: 'max_underlying_notional', label: 'Value held per underlying', kind: 'amount' },
      { name: 'max_open_positions', label: 'Open positions', kind: 'count' },
    ],
  },
  {
    title: 'Orders',
    limits: [
      { name: 'max_entries_per_second', label: 'Entries a second', kind: 'count' },
      { name: 'max_orders_per_day', label: 'Entries a day', kind: 'count' },
      { name: 'max_open_orders', label: 'Live entries', kind: 'count' },
      {
        name: 'price_band_fraction',
        label: 'Distance from the last price, as its fraction',
        kind: 'fraction',
      },
      { name: 'price_band_floor', label: 'Distance that is always allowed', kind: 'price' },
      { name: 'max_tick_age_s', label: 'Age of the last price', kind: 'seconds' },
    ],
  },
  {
    title: 'Margin',
    limits: [
      { name: 'margin_check', label: 'Funds must cover an entry (on or off)', kind: 'word' },
      { name: 'funds_max_age_s', label: 'Age of the funds that the broker told', kind: 'seconds' },
    ],
  },
  {
    title: 'Instruments',
    limits: [
      { name: 'allowed_symbols', label: 'Only these symbols', kind: 'symbols' },
      { name: 'denied_symbols', label: 'None of these symbols', kind: 'symbols' },
    ],
  },
  {
    title: 'Pauses after trades that went wrong',
    limits: [
      { name: 'cooldown_s', label: 'Pause after a stop', kind: 'seconds' },
      { name: 'max_stops', label: 'Trades ended by their stop', kind: 'count' },
      { name: 'max_losing_trades', label: 'Losing trades', kind: 'count' },
      { name: 'max_trade_drawdown', label: 'Fall of the summed profit', kind: 'amount' },
      { name: 'low_profit_trades', label: 'Trades without profit, per instrument', kind: 'count' },
      { name: 'protection_window_s', label: 'How far back these look', kind: 'seconds' },
      { name: 'protection_pause_s', label: 'How long they pause', kind: 'seconds' },
    ],
  },
];

export const LIMITS: LimitName[] = LIMIT_GROUPS.flatMap((group) => group.limits);

const BY_NAME = new Map(LIMITS.map((limit) => [limit.name, limit]));

export function labelOf(name: string): string {
  return BY_NAME.get(name)?.label ?? name;
}

/** The place of a limit in lists: as the groups say, what a newer platform adds comes last. */
export function placeOf(name: string): number {
  const place = LIMITS.findIndex((limit) => limit.name === name);
  return place === -1 ? LIMITS.length : place;
}

export function kindOf(name: string): LimitKind | undefined {
  return BY_NAME.get(name)?.kind;
}
