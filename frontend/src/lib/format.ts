/** Write money, times and durations for people. Money stays a string: the browser never computes it. */

const ZONE = 'Asia/Kolkata';
type Decimals = [least: number, most: number];
const SYMBOLS: Record<string, string | undefined> = { INR: '₹', USD: '$' };
/** Counted in hundredths; coins are not, and their fees may be tiny. */
const HAS_CENTS = new Set(['INR', 'USD', 'USDT', 'EUR', 'GBP']);

const clock = new Intl.DateTimeFormat('en-GB', { timeZone: ZONE, timeStyle: 'medium' });
const shortClock = new Intl.DateTimeFormat('en-GB', { timeZone: ZONE, timeStyle: 'short' });
const moment = new Intl.DateTimeFormat('en-GB', {
  timeZone: ZONE,
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
});
const day = new Intl.DateTimeFormat('en-GB', {
  timeZone: 'UTC',
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  year: 'numeric',
});

function isNumeric(value: string): value is `${number}` {
  return /^-?\d+(\.\d+)?$/.test(value);
}

/** Digits of the whole part; none for zero. */
function wholeDigits(value: string): number {
  return value.replace(/^-/, '').split('.')[0]?.replace(/^0+/, '').length ?? 0;
}

const writers = new Map<string, Intl.NumberFormat>();

/** Write a number with Indian or Western grouping; making a formatter is slow, so each is made once. */
function writeNumber(
  value: `${number}`,
  isIndian: boolean,
  [least, most]: Decimals,
  signDisplay: 'exceptZero' | 'negative',
): string {
  const key = `${isIndian} ${least} ${most} ${signDisplay}`;
  const writer =
    writers.get(key) ??
    new Intl.NumberFormat(isIndian ? 'en-IN' : 'en-US', {
      minimumFractionDigits: least,
      maximumFractionDigits: most,
      signDisplay,
    });
  writers.set(key, writer);
  return writer.format(value).replace('-', '−');
}

/** Rupees have paise, most currency pairs five decimals, coins those of their tick. */
function priceDecimals(value: string, venue: string): Decimals {
  const whole = wholeDigits(value);
  if (venue === 'MT5') return [whole <= 1 ? 5 : 2, 5];
  // Averages are not on the tick: eight digits in all are as many as coins' prices have.
  if (venue === 'BINANCE') return [2, Math.max(2, 8 - whole)];
  return [2, 2];
}

/** A price with all of its digits, so that what is shown is what was ordered. */
export function formatPrice(value: string | null, instrumentId: string): string {
  if (value === null || !isNumeric(value)) return '–';
  const venue = instrumentId.slice(instrumentId.lastIndexOf('.') + 1);
  const isIndian = venue === 'NSE' || venue === 'BSE';
  return writeNumber(value, isIndian, priceDecimals(value, venue), 'negative');
}

/** An amount with a sign, which does not depend on colour: whole rupees; cents of others below a thousand. */
export function formatPnl(value: string | null, currency: string): string {
  if (value === null || !isNumeric(value)) return '–';
  const decimals = currency === 'INR' || wholeDigits(value) > 3 ? 0 : 2;
  return writeNumber(value, currency === 'INR', [decimals, decimals], 'exceptZero');
}

/** An amount with its currency: "+₹12,34,567", "−$5.34", "+0.24 USDT". */
export function formatMoney(value: string | null, currency: string): string {
  return withSymbol(formatPnl(value, currency), currency);
}

/** An amount to the paisa or cent, as a bill shows it: "₹12.48", "0.00012 BNB". */
export function formatBill(value: string, currency: string): string {
  if (!isNumeric(value)) return '–';
  const decimals: Decimals = HAS_CENTS.has(currency) ? [2, 2] : [2, 8];
  return withSymbol(writeNumber(value, currency === 'INR', decimals, 'negative'), currency);
}

/** An amount with every digit that counts, as a limit must be read: "₹25,000", "−₹51.25". */
export function formatAmount(value: string, currency: string): string {
  if (!isNumeric(value)) return '–';
  const decimals: Decimals = /\.\d*[1-9]/.test(value) ? [2, 8] : [0, 0];
  return withSymbol(writeNumber(value, currency === 'INR', decimals, 'negative'), currency);
}

function withSymbol(amount: string, currency: string): string {
  if (amount === '–') return amount;
  const symbol = SYMBOLS[currency];
  return symbol === undefined ? `${amount} ${currency}` : amount.replace(/\d/, (digit) => symbol + digit);
}

export function signOf(value: string | null): 'gain' | 'loss' | 'flat' {
  if (value === null || !/[1-9]/.test(value)) return 'flat';
  return value.startsWith('-') ? 'loss' : 'gain';
}

export function formatTime(iso: string | null): string {
  return iso === null ? '–' : clock.format(new Date(iso));
}

export function formatShortTime(iso: string): string {
  return shortClock.format(new Date(iso));
}

/** A moment that may be of another day, in India: "20 Nov, 10:12". */
export function formatMoment(iso: string): string {
  return moment.format(new Date(iso));
}

export function formatDay(isoDate: string): string {
  return day.format(new Date(`${isoDate}T00:00:00Z`));
}

export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

export function formatAge(seconds: number | null): string {
  if (seconds === null) return 'never heard';
  return seconds < 10 ? `${seconds.toFixed(1)} s` : formatDuration(seconds);
}

/** "NIFTY-20261124-26050-CE.NSE" -> "NIFTY 24 Nov 26050 CE"; other names stay as they are. */
export function formatInstrument(id: string): string {
  const match = /^(\w+)-(\d{4})(\d{2})(\d{2})-([\d.]+)-(CE|PE)\.\w+$/.exec(id);
  if (match === null) return id;
  const [, name = '', year = '', month = '', date = '', strike = '', right = ''] = match;
  const at = new Date(Date.UTC(Number(year), Number(month) - 1, Number(date)));
  const label = at.toLocaleDateString('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });
  return `${name} ${label} ${strike} ${right}`;
}
