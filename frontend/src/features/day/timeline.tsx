import { Button } from '@mantine/core';
import { useState } from 'react';

import type { Phase, PhaseInfo, PhaseState } from '../../client';
import { triggerPhaseMutation } from '../../client/@tanstack/react-query.gen';
import { ReasonDialog } from '../../components/reason-dialog';
import { type Tone, ToneIcon } from '../../components/icons';
import { Panel } from '../../components/panel';
import { formatDuration, formatShortTime, formatTime } from '../../lib/format';
import { useLive } from '../../stream/live-store';

const NAMES: Record<Phase, string> = {
  PREPARE: 'Prepare',
  LOGIN: 'Log in',
  VERIFY: 'Verify',
  ARM: 'Arm',
  BELL: 'Bell',
  SQUARE_OFF: 'Square off',
  CLOSE: 'Close',
};
const TONES: Record<PhaseState, Tone> = {
  scheduled: 'idle',
  running: 'busy',
  done: 'good',
  late: 'warn',
  missed: 'bad',
};

/** Show the day's phases in order, with times in India and how each went. */
export function Timeline({ phases, canTrigger }: { phases: PhaseInfo[]; canTrigger: boolean }) {
  const [asked, setAsked] = useState<Phase | null>(null);
  const now = useLive((store) => store.now);
  return (
    <Panel title="The day" note="times in India (IST)">
      {phases.length === 0 && <p className="empty">No session today: nothing is scheduled.</p>}
      <ol className="timeline">
        {phases.map((phase) => (
          <li key={phase.phase} className={`phase phase-${phase.state}`}>
            <ToneIcon tone={TONES[phase.state]} size={16} />
            <span className="phase-name">{NAMES[phase.phase]}</span>
            <time className="num" dateTime={phase.due_at} title={`due ${formatTime(phase.due_at)}`}>
              {formatShortTime(phase.due_at)}
            </time>
            <span className="phase-note">{describe(phase, now)}</span>
            {canTrigger && (phase.state === 'late' || phase.state === 'missed') && (
              <Button
                size="compact-xs"
                variant="light"
                onClick={() => {
                  setAsked(phase.phase);
                }}
              >
                Run now
              </Button>
            )}
          </li>
        ))}
      </ol>
      {asked !== null && (
        <ReasonDialog
          title={`Run the phase “${NAMES[asked]}” now`}
          action="Run now"
          mutation={triggerPhaseMutation()}
          variables={(reason) => ({ path: { phase: asked }, body: { reason } })}
          onClose={() => {
            setAsked(null);
          }}
        />
      )}
    </Panel>
  );
}

function describe(phase: PhaseInfo, now: string | null): string {
  const lateness = phase.late_s > 30 ? `, ${formatDuration(phase.late_s)} late` : '';
  switch (phase.state) {
    case 'done':
      return `done in ${formatDuration(secondsBetween(phase.started_at, phase.finished_at))}${lateness}`;
    case 'running':
      return `running${lateness}`;
    case 'late':
      return `${formatDuration(phase.late_s)} late`;
    case 'missed':
      return 'did not run';
    case 'scheduled': {
      const wait = now === null ? 0 : secondsBetween(now, phase.due_at);
      return wait > 0 ? `in ${formatDuration(wait)}` : 'due now';
    }
  }
}

function secondsBetween(from: string | null, to: string | null): number {
  return from === null || to === null ? 0 : (Date.parse(to) - Date.parse(from)) / 1000;
}
