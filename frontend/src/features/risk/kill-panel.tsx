import { useQuery } from '@tanstack/react-query';

import type { KillProgress, LimitScope } from '../../client';
import { listKillSwitchesOptions } from '../../client/@tanstack/react-query.gen';
import { Asked } from '../../components/asked';
import { Panel } from '../../components/panel';
import { formatMoment } from '../../lib/format';
import { usePeople } from '../../lib/people';
import { nameScope } from '../../lib/scopes';
import { KillStanding } from './kill-progress';

const LOOK_EVERY_MS = 1_000;
const REST_MS = 10_000;

const SCOPES: Record<KillProgress['scope'], LimitScope> = {
  tenant: 'TENANT',
  broker: 'BROKER',
  family: 'FAMILY',
  user: 'USER',
  account: 'ACCOUNT',
  deployment: 'DEPLOYMENT',
};

/** Show how far the last halts are, also to who did not press them. */
export function KillPanel() {
  const people = usePeople();
  const { data, error, isPending } = useQuery({
    ...listKillSwitchesOptions(),
    refetchInterval: ({ state }) =>
      state.data?.some((kill) => !kill.is_flat) === true ? LOOK_EVERY_MS : REST_MS,
  });
  const open = data?.filter((kill) => !kill.is_flat).length ?? 0;
  return (
    <Panel title="Kill switch progress" note={open > 0 ? 'closing' : undefined}>
      <Asked what="Kill switch progress" error={error} isPending={isPending} />
      {data?.length === 0 && <p className="empty">Nobody has halted anything in the last 24 hours.</p>}
      <ul className="kills" aria-label="Last halts">
        {data?.map((kill) => {
          const whom = nameScope(SCOPES[kill.scope], String(kill.target ?? ''), people);
          return (
            <li key={kill.command_id}>
              <b>{whom}</b> halted by {kill.actor}, {formatMoment(kill.pressed_at)}
              <div className="dim">{kill.reason}</div>
              <KillStanding kill={kill} label={`Progress of the halt of ${whom}`} />
            </li>
          );
        })}
      </ul>
    </Panel>
  );
}
