import { useQuery } from '@tanstack/react-query';

import type { LimitInForce } from '../../client';
import {
  listAccountLimitsOptions,
  listDeploymentLimitsOptions,
} from '../../client/@tanstack/react-query.gen';
import { Asked } from '../../components/asked';
import { Panel } from '../../components/panel';
import { type Field, Records } from '../../components/records';
import { formatMoment } from '../../lib/format';
import { currencyOf, nameScope, type People, type Subject } from '../../lib/scopes';
import { labelOf, placeOf } from './limit-names';
import { writeValue } from './limit-values';

/** Ask what binds a subject now, in the order of the groups. */
export function useLimitsInForce(subject: Subject) {
  const isAccount = subject.kind === 'account';
  const ofAccount = useQuery({
    ...listAccountLimitsOptions({ path: { account_id: subject.id } }),
    enabled: isAccount,
  });
  const ofDeployment = useQuery({
    ...listDeploymentLimitsOptions({ path: { deployment_id: subject.id } }),
    enabled: !isAccount,
  });
  const { data, error, isPending } = isAccount ? ofAccount : ofDeployment;
  const limits = [...(data ?? [])].sort((one, other) => placeOf(one.name) - placeOf(other.name));
  return { limits, error, isPending };
}

/** Show what binds an account or a deployment now, and who set it. */
export function LimitsPanel({ subject, people }: { subject: Subject; people: People }) {
  const { limits, error, isPending } = useLimitsInForce(subject);
  return (
    <Panel title="Limits in force" note="each bounds one account; the strictest of all sets binds">
      <Asked what="Limits in force" error={error} isPending={isPending} />
      {limits.length > 0 && (
        <Records
          label="Limits in force"
          rows={limits}
          fields={fieldsOf(people, currencyOf(subject, people))}
          rowKey={(limit) => `${limit.name} ${limit.origin} ${limit.version?.scope ?? ''}`}
        />
      )}
    </Panel>
  );
}

function fieldsOf(people: People, currency: string): Field<LimitInForce>[] {
  return [
    {
      key: 'name',
      title: 'Limit',
      render: ({ name }) => (
        <>
          {labelOf(name)} <code className="dim">{name}</code>
        </>
      ),
    },
    {
      key: 'value',
      title: 'Value',
      isNumber: true,
      render: ({ name, value }) => <b>{writeValue(name, value, currency)}</b>,
    },
    {
      key: 'set',
      title: 'Set for',
      render: (limit) => <Setter limit={limit} people={people} />,
    },
  ];
}

function Setter({ limit: { origin, version }, people }: { limit: LimitInForce; people: People }) {
  if (version === null) {
    return (
      <span className="dim">
        {origin === 'INITIAL' ? 'the deployment, when it was added' : 'platform default'}
      </span>
    );
  }
  return (
    <>
      {nameScope(version.scope, version.target, people)}
      <div className="dim">
        by {version.actor}, <span className="num">{formatMoment(version.ts_init)}</span>: {version.reason}
      </div>
    </>
  );
}
