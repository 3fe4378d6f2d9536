/** Write money, times and durations for people. Money stays a string: the browser never computes it. */

const ZONE = 'Asia/Kolkata';

const money = new Intl.NumberFormat('en-IN', {
  minimumFractionDigits: 2,
  maximumFractionDigits: 2,
  signDisplay: 'negative',
});
const signedMoney = new Intl.NumberFormat('en-IN', {
  maximumFractionDigits: 0,
  signDisplay: 'exceptZero',
});
const clock = new Intl.DateTimeFormat('en-GB', { timeZone: ZONE, timeStyle: 'medium' });
const shortClock = new Intl.DateTimeFormat('en-GB', { timeZone: ZONE, timeStyle: 'short' });
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

export function formatPrice(value: string | null): string {
  return value === null || !isNumeric(value) ? '–' : money.format(value);
}

/** Whole rupees with a sign; a sign that is written does not depend on colour. */
export function formatPnl(value: string | null): string {
  return value === null || !isNumeric(value) ? '–' : signedMoney.format(value).replace('-', '−');
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
