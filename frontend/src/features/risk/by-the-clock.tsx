import { useQuery } from '@tanstack/react-query';

import type { BlackoutRow, Departure, GroupTimes, Urgency } from '../../client';
import {
  listDeparturesOptions,
  listSquareOffsOptions,
  listWindowsOptions,
} from '../../client/@tanstack/react-query.gen';
import { Asked } from '../../components/asked';
import { ToneIcon } from '../../components/icons';
import { Panel } from '../../components/panel';
import { type Field, Records } from '../../components/records';
import { formatInstrument, formatMoment, formatTime } from '../../lib/format';
import { usePeople } from '../../lib/people';
import { nameScope, type People } from '../../lib/scopes';
import { useLive } from '../../stream/live-store';

const PERIOD_MS = 15_000;

const STEPS: Record<Urgency, string> = {
  USUAL: 'as usual',
  HARDER: 'late: priced harder',
  PERSON: 'late: a person was called',
  BROKER: 'late: the broker closes it',
};

/** Show when groups of positions leave today, what is late, and the windows without entries. */
export function ByTheClock() {
  const times = useQuery({ ...listSquareOffsOptions(), refetchInterval: PERIOD_MS });
  const windows = useQuery({ ...listWindowsOptions(), refetchInterval: PERIOD_MS });
  const legs = useQuery({ ...listDeparturesOptions(), refetchInterval: PERIOD_MS });
  const people = usePeople();
  const now = useLive((store) => store.now);
  const late = legs.data?.filter((leg) => leg.urgency !== 'USUAL') ?? [];
  const ahead = (windows.data ?? []).filter((window) => isAhead(window, now));
  return (
    <Panel title="By the clock" note={noteOf(legs.data)} className={late.length > 0 ? 'locks-in-force' : ''}>
      <Asked what="The times of leaving" error={times.error} isPending={times.isPending} />
      {times.data?.today.length === 0 && (
        <p className="empty">No market trades today: nothing has to leave.</p>
      )}
      {times.data !== undefined && times.data.today.length > 0 && (
        <Records
          label="When positions leave today"
          rows={times.data.today}
          fields={GROUP_FIELDS}
          rowKey={(group) => [group.venue, group.broker, group.product, group.is_expiring].join(' ')}
        />
      )}
      <Asked what="The held legs" error={legs.error} isPending={legs.isPending} />
      {late.length > 0 && (
        <Records
          label="Late to leave"
          rows={late}
          fields={lateFields(people)}
          rowKey={(leg) => `${leg.deployment_id} ${leg.instrument_id}`}
        />
      )}
      <Asked what="The blackouts" error={windows.error} isPending={windows.isPending} />
      {windows.data !== undefined && ahead.length === 0 && <p className="empty">No blackout is ahead.</p>}
      {ahead.length > 0 && (
        <Records label="Blackouts" rows={ahead} fields={WINDOW_FIELDS} rowKey={(window) => window.id} />
      )}
    </Panel>
  );
}

function isAhead(window: BlackoutRow, now: string | null): boolean {
  if (window.withdrawn_at !== null) return false;
  return window.timezone !== null || now === null || Date.parse(window.ends_at) > Date.parse(now);
}

function noteOf(legs: Departure[] | undefined): string | undefined {
  if (legs === undefined) return undefined;
  const due = legs.map((leg) => leg.leave_by).filter((at) => at !== null);
  const [first] = due.sort();
  return first === undefined
    ? 'no held leg has a time'
    : `${due.length} held legs, the first out by ${formatTime(first)}`;
}

const GROUP_FIELDS: Field<GroupTimes>[] = [
  {
    key: 'group',
    title: 'Group',
    render: (group) => (
      <>
        <b>
          {group.venue} {group.product.toLowerCase()}
          {group.is_expiring && ' on its last day'}
        </b>
        <div className="dim">{group.broker}</div>
      </>
    ),
  },
  {
    key: 'entries',
    title: 'Entries end',
    isNumber: true,
    render: (group) => formatTime(group.times.entries_end_at),
  },
  { key: 'leave', title: 'Leaves', isNumber: true, render: (group) => formatTime(group.times.leave_at) },
  {
    key: 'broker',
    title: 'Broker closes',
    isNumber: true,
    render: (group) => formatTime(group.times.broker_at),
  },
  {
    key: 'setting',
    title: 'Set by',
    render: (group) =>
      group.times.setting === null ? <span className="dim">default</span> : `setting ${group.times.setting}`,
  },
];

function lateFields(people: People): Field<Departure>[] {
  return [
    { key: 'leg', title: 'Leg', render: (leg) => <b>{formatInstrument(leg.instrument_id)}</b> },
    { key: 'account', title: 'Account', render: (leg) => nameScope('ACCOUNT', `${leg.account_id}`, people) },
    { key: 'net', title: 'Net', isNumber: true, render: (leg) => leg.net_qty },
    { key: 'by', title: 'Out by', isNumber: true, render: (leg) => formatTime(leg.leave_by) },
    {
      key: 'step',
      title: 'Step',
      render: (leg) => (
        <span className="state">
          <ToneIcon tone={leg.urgency === 'HARDER' ? 'warn' : 'bad'} />
          {STEPS[leg.urgency]}
        </span>
      ),
    },
  ];
}

const WINDOW_FIELDS: Field<BlackoutRow>[] = [
  {
    key: 'name',
    title: 'Blackout',
    render: (window) => (
      <>
        <b>{window.name}</b>
        <div className="dim">{window.covers.join(', ')}</div>
      </>
    ),
  },
  { key: 'from', title: 'From', isNumber: true, render: (window) => whenOf(window, window.starts_at) },
  { key: 'to', title: 'To', isNumber: true, render: (window) => whenOf(window, window.ends_at) },
  {
    key: 'rule',
    title: 'Rule',
    render: (window) => (window.rule === 'FLAT_BEFORE' ? 'no entries, positions out before' : 'no entries'),
  },
  {
    key: 'lead',
    title: 'Entries end before',
    isNumber: true,
    render: (window) => `${Math.round(window.lead_s / 60)} min`,
  },
  {
    key: 'why',
    title: 'By',
    render: (window) => (
      <>
        {window.actor}
        <div className="dim">{window.reason}</div>
      </>
    ),
  },
];

/** A weekly window by the wall clock of its own place, any other as a moment. */
function whenOf(window: BlackoutRow, at: string): string {
  if (window.timezone === null) return formatMoment(at);
  const weekly = new Intl.DateTimeFormat('en-GB', {
    timeZone: window.timezone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
  });
  return `each ${weekly.format(new Date(at))} (${window.timezone})`;
}
