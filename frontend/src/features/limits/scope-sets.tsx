import { Button, SegmentedControl } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import type { LimitScope, LimitVersion, Me } from '../../client';
import { listLimitVersionsOptions } from '../../client/@tanstack/react-query.gen';
import { Asked } from '../../components/asked';
import { Panel } from '../../components/panel';
import { type Field, Records } from '../../components/records';
import { formatMoment } from '../../lib/format';
import { currencyOf, nameScope, type People, scopesOver, type Subject } from '../../lib/scopes';
import { LimitEditor } from './limit-editor';
import { useLimitsInForce } from './limits-panel';
import { SetList } from './set-list';

const TITLES: Record<LimitScope, string> = {
  TENANT: 'Everybody',
  BROKER: 'Broker',
  FAMILY: 'Family',
  USER: 'User',
  ACCOUNT: 'Account',
  DEPLOYMENT: 'Deployment',
};

interface ScopeSetsProps {
  subject: Subject;
  people: People;
  me: Me;
}

/** Show the versions of each set that covers a subject, and change a set where one may. */
export function ScopeSets({ subject, people, me }: ScopeSetsProps) {
  const over = scopesOver(subject, people);
  const [picked, setPicked] = useState<LimitScope>(subject.kind === 'account' ? 'ACCOUNT' : 'DEPLOYMENT');
  const { limits } = useLimitsInForce(subject);
  const [isEditing, setEditing] = useState(false);
  const [scope, target] = over.find(([one]) => one === picked) ?? [picked, undefined];
  const mayRead = me.is_staff || (scope !== 'TENANT' && scope !== 'BROKER');
  const history = useQuery({
    ...listLimitVersionsOptions({ query: { scope, target: target ?? '' } }),
    enabled: mayRead && target !== undefined,
  });
  if (target === undefined) return null;
  const whom = nameScope(scope, target, people);
  const currency = scope === 'TENANT' || scope === 'USER' ? '' : currencyOf(subject, people);
  return (
    <Panel
      title="Sets and their history"
      actions={
        mayRead &&
        history.data !== undefined && (
          <Button
            size="compact-sm"
            variant="default"
            onClick={() => {
              setEditing(true);
            }}
          >
            Change this set…
          </Button>
        )
      }
    >
      <div className="scope-choice">
        <SegmentedControl
          size="xs"
          aria-label="Whose set"
          value={scope}
          onChange={setPicked}
          data={over.map(([value]) => ({ value, label: TITLES[value] }))}
        />
        <span>{whom}</span>
      </div>
      {!mayRead && (
        <p className="empty">
          Only staff reads and changes this set. What of it binds you is listed under Limits in force.
        </p>
      )}
      {mayRead && <Asked what="The history" error={history.error} isPending={history.isPending} />}
      {history.data?.length === 0 && <p className="empty">No set was ever made here: it limits nothing.</p>}
      {history.data !== undefined && history.data.length > 0 && (
        <Records
          label={`Versions of the set of ${whom}`}
          rows={history.data}
          fields={fieldsOf(currency)}
          rowKey={(version) => version.version}
          maxHeight={420}
        />
      )}
      {isEditing && history.data !== undefined && (
        <LimitEditor
          scope={scope}
          target={target}
          whom={whom}
          people={people}
          currency={currency}
          newest={history.data[0]}
          inForce={limits}
          isStaff={me.is_staff}
          onClose={() => {
            setEditing(false);
          }}
        />
      )}
    </Panel>
  );
}

function fieldsOf(currency: string): Field<LimitVersion>[] {
  return [
    { key: 'version', title: 'Set', render: ({ version }) => `Version ${version}` },
    {
      key: 'who',
      title: 'By',
      render: ({ actor, ts_init, reason }) => (
        <>
          {actor}, <span className="num">{formatMoment(ts_init)}</span>
          <div className="dim">{reason}</div>
        </>
      ),
    },
    {
      key: 'values',
      title: 'Limits',
      render: ({ values }) => <SetList values={values} currency={currency} />,
    },
  ];
}
