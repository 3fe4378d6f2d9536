/** Draw the few signs that the dashboard needs; each state has a shape of its own besides its colour. */
import type { ReactNode } from 'react';

function Icon({ children, size = 16 }: { children: ReactNode; size?: number }) {
  return (
    <svg
      aria-hidden="true"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="2.4"
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      {children}
    </svg>
  );
}

export const BellIcon = () => (
  <Icon size={20}>
    <path d="M6 16V11a6 6 0 0 1 12 0v5l2 2H4z" />
    <path d="M10 21h4" />
  </Icon>
);

const SHAPES = {
  good: <path d="M4 12.5l5.5 5.5L20 6.5" />,
  bad: <path d="M6 6l12 12M18 6L6 18" />,
  warn: <path d="M12 3.5L22 20.5H2zM12 10v4.5M12 17.6v.1" />,
  busy: <path d="M12 3a9 9 0 1 1-8.2 5.3" />,
  idle: <circle cx="12" cy="12" r="6" />,
};

export type Tone = keyof typeof SHAPES;

/** A state as shape and colour. The text beside it, or its label, says the same. */
export function ToneIcon({ tone, size = 14 }: { tone: Tone; size?: number }) {
  return (
    <span className={`tone tone-${tone}`}>
      <Icon size={size}>{SHAPES[tone]}</Icon>
    </span>
  );
}
