import { useQuery } from '@tanstack/react-query';

import type { Run, RunKind } from '../../client';
import { listRunsOptions } from '../../client/@tanstack/react-query.gen';
import { ToneIcon } from '../../components/icons';
import { Panel } from '../../components/panel';

const KINDS: Record<RunKind, string> = {
  loops: 'Strategies',
  entries: 'Entries',
  exits: 'Exits',
  books: 'Books',
  risk: 'Risk watch',
};

/** Show the leased runs: who holds each, whether it lives, and what it did last. */
export function RunsPanel() {
  const { data: runs = [] } = useQuery(listRunsOptions());
  const wanted = runs.filter((run) => run.is_wanted);
  const alive = wanted.filter((run) => run.is_alive).length;
  return (
    <Panel title="Runs" note={`${alive} of ${wanted.length} live`}>
      {runs.length === 0 && <p className="empty">No runs yet: they start when the first account is ready.</p>}
      <ul className="runs">
        {runs.map((run) => (
          <li key={run.name}>
            <ToneIcon tone={run.is_alive ? 'good' : run.is_wanted ? 'bad' : 'idle'} />
            <span className="run-kind">{KINDS[run.kind]}</span>
            <span className="run-name">{run.name}</span>
            <span className="dim">{state(run)}</span>
            <span className="run-progress num">{describeProgress(run.progress)}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function state(run: Run): string {
  if (run.is_alive) return run.holder;
  return run.is_wanted ? 'no holder' : 'ended';
}

function describeProgress(progress: Record<string, unknown>): string {
  return Object.entries(progress)
    .filter(([, value]) => typeof value === 'string' || typeof value === 'number')
    .map(([key, value]) => `${key.replaceAll('_', ' ')} ${String(value)}`)
    .join(' · ');
}
