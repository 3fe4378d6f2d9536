/** Say in words what each rule on profit and loss compares; the numbers come with the lock (docs/risk.md). */
import type { LossRule } from '../../client';

export const RULES: Record<LossRule, { name: string; words: string; isDepth: boolean }> = {
  MAX_DAILY_LOSS: {
    name: 'Daily loss',
    words: 'Profit and loss after charges fell to the daily loss limit or below it.',
    isDepth: false,
  },
  MAX_DRAWDOWN: {
    name: 'Drawdown',
    words: "Profit and loss after charges fell from the day's peak by the drawdown limit or more.",
    isDepth: true,
  },
  COMBINED_STOP: {
    name: 'Combined stop',
    words: 'Profit and loss of the whole strategy fell to its combined stop or below it.',
    isDepth: false,
  },
  COMBINED_TARGET: {
    name: 'Combined target',
    words: 'Profit and loss of the whole strategy reached its combined target.',
    isDepth: false,
  },
  COMBINED_LOCK: {
    name: 'Locked profit',
    words: 'Profit and loss of the whole strategy fell back to the profit that it had locked.',
    isDepth: false,
  },
};
