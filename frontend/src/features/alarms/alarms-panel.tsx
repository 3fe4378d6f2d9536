import { useQuery } from '@tanstack/react-query';

import { listAlarmsOptions } from '../../client/@tanstack/react-query.gen';
import { ToneIcon } from '../../components/icons';
import { Panel } from '../../components/panel';
import { formatTime } from '../../lib/format';

/** Show what a person must look at: open alarms first. */
export function AlarmsPanel() {
  const { data: alarms = [] } = useQuery(listAlarmsOptions());
  const open = alarms.filter((alarm) => alarm.cleared_at === null);
  const cleared = alarms.filter((alarm) => alarm.cleared_at !== null);
  return (
    <Panel title="Alarms" note={`${open.length} open`}>
      {alarms.length === 0 && <p className="empty">No alarms today.</p>}
      <ul className="alarms">
        {[...open, ...cleared].map((alarm) => (
          <li key={alarm.id} className={alarm.cleared_at === null ? '' : 'dim'}>
            <ToneIcon tone={alarm.cleared_at === null ? 'warn' : 'good'} />
            <div>
              {alarm.message}
              <div className="dim">
                {formatTime(alarm.raised_at)} · {alarm.subject}
                {alarm.seen > 1 && ` · seen ${alarm.seen} times`}
                {alarm.cleared_at !== null && ` · cleared ${formatTime(alarm.cleared_at)}`}
              </div>
            </div>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
