import { Button, Text } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import type { LossLock } from '../../client';
import { killSwitchMutation, listLossLocksOptions } from '../../client/@tanstack/react-query.gen';
import { Asked } from '../../components/asked';
import { ToneIcon } from '../../components/icons';
import { Panel } from '../../components/panel';
import { ReasonDialog } from '../../components/reason-dialog';
import { type Field, Records } from '../../components/records';
import { formatAmount, formatDuration, formatTime } from '../../lib/format';
import { usePeople } from '../../lib/people';
import { nameScope, type People, switchTarget } from '../../lib/scopes';
import { useLive } from '../../stream/live-store';
import { RULES } from './loss-rules';
import { RiskBasis } from './risk-basis';

const PERIOD_MS = 3_000;

/** Show what loss limits closed and locked today, by which numbers, and let staff unlock. */
export function LossLocks({ canUnlock }: { canUnlock: boolean }) {
  const { data, error, isPending } = useQuery({ ...listLossLocksOptions(), refetchInterval: PERIOD_MS });
  const people = usePeople();
  const [chosen, setChosen] = useState<LossLock | null>(null);
  const inForce = data?.filter((lock) => lock.unlocked_at === null).length ?? 0;
  const note = data === undefined ? undefined : `${inForce} in force, ${data.length} today`;
  return (
    <Panel title="Loss locks" note={note} className={inForce > 0 ? 'locks-in-force' : ''}>
      <Asked what="Loss locks" error={error} isPending={isPending} />
      {data?.length === 0 && <p className="empty">No rule on losses was broken today: nothing is locked.</p>}
      {data !== undefined && data.length > 0 && (
        <Records
          label="Loss locks of today"
          rows={data}
          fields={fieldsOf(people, canUnlock ? setChosen : undefined)}
          rowKey={(lock) => lock.id}
        />
      )}
      <RiskBasis />
      {chosen !== null && (
        <UnlockDialog
          lock={chosen}
          people={people}
          onClose={() => {
            setChosen(null);
          }}
        />
      )}
    </Panel>
  );
}

function fieldsOf(people: People, onUnlock: ((lock: LossLock) => void) | undefined): Field<LossLock>[] {
  return [
    {
      key: 'scope',
      title: 'Locked',
      render: (lock) => (
        <>
          <b>{nameScope(lock.scope, lock.target, people)}</b>
          <div className="dim">
            {lock.scope.toLowerCase()}, {lock.venue}
          </div>
        </>
      ),
    },
    { key: 'rule', title: 'Rule', render: (lock) => RULES[lock.rule].name },
    {
      key: 'limit',
      title: 'Limit',
      isNumber: true,
      render: (lock) => formatAmount(lock.limit, lock.currency),
    },
    {
      key: 'value',
      title: 'Value',
      isNumber: true,
      render: (lock) => <LockValue lock={lock} />,
    },
    {
      key: 'formula',
      title: 'Formula',
      render: (lock) => (
        <>
          {RULES[lock.rule].words}
          <div>
            <code className="formula">{lock.formula.replace(/-/g, '−')}</code>
          </div>
        </>
      ),
    },
    { key: 'breach', title: 'Broken at', isNumber: true, render: (lock) => formatTime(lock.breached_at) },
    { key: 'flat', title: 'Flat', render: (lock) => <Flat lock={lock} /> },
    {
      key: 'unlock',
      title: 'Unlocked',
      render: (lock) => <Unlocked lock={lock} people={people} onUnlock={onUnlock} />,
    },
  ];
}

/** What broke the limit: a depth below the peak has no sign of its own. */
function LockValue({ lock }: { lock: LossLock }) {
  const amount = formatAmount(lock.value, lock.currency);
  return (
    <>
      {amount}
      {RULES[lock.rule].isDepth && <div className="dim">below the peak</div>}
    </>
  );
}

function Flat({ lock }: { lock: LossLock }) {
  const now = useLive((store) => store.now);
  if (lock.flat_at === null) {
    return (
      <span className="state">
        <ToneIcon tone="bad" />
        <b>not yet flat</b>
        {now !== null && `, for ${since(lock.breached_at, now)}`}
      </span>
    );
  }
  return (
    <>
      <span className="state">
        <ToneIcon tone="good" />
        <span className="num">{formatTime(lock.flat_at)}</span>, {since(lock.breached_at, lock.flat_at)} after
      </span>
      {lock.flat_value !== null && (
        <div className="dim num">left: {formatAmount(lock.flat_value, lock.currency)}</div>
      )}
    </>
  );
}

function since(from: string, to: string): string {
  return formatDuration((Date.parse(to) - Date.parse(from)) / 1000);
}

interface UnlockedProps {
  lock: LossLock;
  people: People;
  onUnlock: ((lock: LossLock) => void) | undefined;
}

function Unlocked({ lock, people, onUnlock }: UnlockedProps) {
  if (lock.unlocked_at !== null) {
    return (
      <>
        <span className="num">{formatTime(lock.unlocked_at)}</span> by {lock.unlocked_by}
        <div className="dim">{lock.unlock_reason}</div>
      </>
    );
  }
  if (onUnlock === undefined) return <span className="dim">no; only staff unlocks</span>;
  if (lock.flat_at === null) return <span className="dim">no; can be unlocked once it is flat</span>;
  return (
    <Button
      size="compact-xs"
      variant="default"
      aria-label={`Unlock ${nameScope(lock.scope, lock.target, people)}`}
      onClick={() => {
        onUnlock(lock);
      }}
    >
      Unlock…
    </Button>
  );
}

interface UnlockDialogProps {
  lock: LossLock;
  people: People;
  onClose: () => void;
}

function UnlockDialog({ lock, people, onClose }: UnlockDialogProps) {
  const queries = useQueryClient();
  const target = switchTarget(lock.scope, lock.target, people);
  if (target === undefined) return null;
  return (
    <ReasonDialog
      title={`Unlock ${nameScope(lock.scope, lock.target, people)}`}
      action="Unlock"
      mutation={killSwitchMutation()}
      variables={(reason) => ({ body: { ...target, action: 'RESUME' as const, reason } })}
      onClose={onClose}
      onDone={() => void queries.invalidateQueries()}
    >
      <Text size="sm">
        New entries of exactly this scope are allowed again, also where a kill switch had stopped it. The
        limit stays: while the loss is at the daily limit, raise that first.
      </Text>
    </ReasonDialog>
  );
}
