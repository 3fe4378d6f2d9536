import { formatTime } from '../lib/format';

/** A moment in India's time; narrow screens leave out the seconds, which the title still tells. */
export function Time({ at }: { at: string }) {
  const full = formatTime(at);
  return (
    <time dateTime={at} title={full}>
      {full.slice(0, 5)}
      <span className="wide-only">{full.slice(5)}</span>
    </time>
  );
}
