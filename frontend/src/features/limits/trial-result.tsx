import { Alert } from '@mantine/core';

import type { LimitTrial, PastDenial } from '../../client';
import { type Field, Records } from '../../components/records';
import { formatInstrument, formatTime } from '../../lib/format';
import { nameScope, type People } from '../../lib/scopes';

/** Tell what a set would have denied today, and what such a trial cannot see. */
export function TrialResult({ trial, people }: { trial: LimitTrial; people: People }) {
  const { judged, unjudged, denied } = trial;
  return (
    <div className="trial">
      <Alert
        color={denied.length === 0 ? 'teal' : 'orange'}
        role="status"
        title={`${denied.length} of today's ${judged} entries would have been denied`}
      >
        {unjudged > 0 && `${unjudged} could not be judged: the price that was seen is not recorded. `}
        It sees entries that left. It cannot tell what a looser set would have let through, nor the age of
        prices; a daily loss counts ended trades only.
      </Alert>
      {denied.length > 0 && (
        <Records
          label="Entries that would have been denied"
          rows={denied}
          fields={fieldsOf(people)}
          rowKey={(past) => past.client_order_id}
          maxHeight={240}
        />
      )}
    </div>
  );
}

function fieldsOf(people: People): Field<PastDenial>[] {
  return [
    { key: 'at', title: 'At', isNumber: true, render: ({ at }) => formatTime(at) },
    {
      key: 'whose',
      title: 'Whose',
      render: ({ deployment_id }) => nameScope('DEPLOYMENT', String(deployment_id), people),
    },
    { key: 'what', title: 'Contract', render: ({ instrument_id }) => formatInstrument(instrument_id) },
    {
      key: 'why',
      title: 'Why',
      render: ({ code, message, remedy }) => (
        <>
          <b>{code}</b> {message}
          <div className="dim">{remedy}</div>
        </>
      ),
    },
  ];
}
