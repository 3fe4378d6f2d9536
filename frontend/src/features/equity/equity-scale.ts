/** Turn points of profit and loss into places on a drawing. Only places are floats: no money is computed here. */
import type { EquityPoint } from '../../client';

export interface Size {
  width: number;
  height: number;
}

export interface Drawing {
  net: string;
  area: string;
  peak: string;
  zeroY: number;
  /** The last point of the profit and loss. */
  end: { x: number; y: number };
  amounts: { y: number; value: string }[];
  times: { x: number; iso: string }[];
}

export const MARGIN = { top: 10, right: 14, bottom: 22, left: 62 };
const STEPS = [1, 2, 2.5, 5, 10];

/** Place a day's points; each holds until the next one, so lines go in steps. At least one point. */
export function draw(points: [EquityPoint, ...EquityPoint[]], { width, height }: Size): Drawing {
  const at = points.map((point) => Date.parse(point.minute));
  const last = points[points.length - 1] ?? points[0];
  const [from, to] = [at[0] ?? 0, Math.max(at[at.length - 1] ?? 0, (at[0] ?? 0) + 60_000)];
  const net = points.map((point) => Number(point.net));
  const peak = points.map((point) => Number(point.peak));
  const steps = niceSteps(Math.min(0, ...net), Math.max(0, ...net, ...peak), height < 200 ? 3 : 5);
  const [low, high] = [steps[0] ?? 0, steps[steps.length - 1] ?? 1];
  const x = (time: number) =>
    round(MARGIN.left + ((time - from) / (to - from)) * (width - MARGIN.left - MARGIN.right));
  const y = (value: number) =>
    round(MARGIN.top + ((high - value) / (high - low)) * (height - MARGIN.top - MARGIN.bottom));
  const stairs = (values: number[]) =>
    values
      .map((value, i) => (i === 0 ? `M${x(from)} ${y(value)}` : `H${x(at[i] ?? to)}V${y(value)}`))
      .join('');
  const line = stairs(net);
  return {
    net: line,
    area: `${line}V${y(0)}H${x(from)}Z`,
    peak: stairs(peak),
    zeroY: y(0),
    end: { x: x(at[at.length - 1] ?? to), y: y(Number(last.net)) },
    amounts: steps.map((value) => ({ y: y(value), value: plain(value) })),
    times: hourMarks(from, to, width < 500 ? 4 : 8).map((time) => ({
      x: x(time),
      iso: new Date(time).toISOString(),
    })),
  };
}

/** Round numbers from at or below the least to at or above the most, about as many as asked for. */
export function niceSteps(least: number, most: number, count: number): number[] {
  const span = most > least ? most - least : 1;
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = (STEPS.find((one) => one * power >= rough) ?? 10) * power;
  const [first, last] = [Math.floor(least / step), Math.ceil((least + span) / step)];
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

/** Round quarters of an hour between two moments, at most so many. India's half hour fits quarters. */
function hourMarks(from: number, to: number, atMost: number): number[] {
  const minute = 60_000;
  const step = [5, 15, 30, 60, 120, 240, 480].find((one) => (to - from) / (one * minute) <= atMost) ?? 480;
  // Steps count from midnight in India, so that whole hours there are whole hours here.
  const offset = 5.5 * 60 * minute;
  const first = Math.ceil((from + offset) / (step * minute)) * step * minute - offset;
  const marks: number[] = [];
  for (let time = first; time <= to; time += step * minute) marks.push(time);
  return marks;
}

function round(place: number): number {
  return Math.round(place * 10) / 10;
}

function plain(value: number): string {
  return String(Math.round(value * 1e8) / 1e8);
}
