import { useElementSize } from '@mantine/hooks';

import type { EquityPoint } from '../../client';
import { formatAmount, formatPnl, formatShortTime } from '../../lib/format';
import { draw, MARGIN } from './equity-scale';

const HEIGHT = 240;
const USUAL_WIDTH = 640; // before the browser has told the real one

interface EquityChartProps {
  points: [EquityPoint, ...EquityPoint[]];
  currency: string;
}

/** Draw profit and loss with its peak; the label says in words what the lines show. */
export function EquityChart({ points, currency }: EquityChartProps) {
  const { ref, width: measured } = useElementSize();
  const width = measured > 0 ? measured : USUAL_WIDTH;
  const drawing = draw(points, { width, height: HEIGHT });
  const last = points[points.length - 1] ?? points[0];
  const label =
    `Profit and loss from ${formatShortTime(points[0].minute)} to ${formatShortTime(last.minute)}: ` +
    `${formatAmount(last.net, currency)} at the end, peak ${formatAmount(last.peak, currency)}.`;
  return (
    <div ref={ref} className="equity-chart">
      <svg role="img" aria-label={label} width={width} height={HEIGHT} viewBox={`0 0 ${width} ${HEIGHT}`}>
        {drawing.amounts.map(({ y, value }) => (
          <g key={value}>
            <line className="grid" x1={MARGIN.left} x2={width - MARGIN.right} y1={y} y2={y} />
            <text x={MARGIN.left - 8} y={y + 4} textAnchor="end">
              {formatPnl(value, currency)}
            </text>
          </g>
        ))}
        {drawing.times.map(({ x, iso }) => (
          <text key={iso} x={x} y={HEIGHT - 5} textAnchor="middle">
            {formatShortTime(iso)}
          </text>
        ))}
        <path className="equity-area" d={drawing.area} />
        <line
          className="zero"
          x1={MARGIN.left}
          x2={width - MARGIN.right}
          y1={drawing.zeroY}
          y2={drawing.zeroY}
        />
        <path className="equity-peak" d={drawing.peak} />
        <path className="equity-line" d={drawing.net} />
        <circle className="equity-end" cx={drawing.end.x} cy={drawing.end.y} r={3.5} />
      </svg>
    </div>
  );
}
