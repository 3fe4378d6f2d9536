import { Select } from '@mantine/core';

import type { People, Subject } from '../lib/scopes';

interface SubjectPickerProps {
  people: People;
  subject: Subject;
  onPick: (subject: Subject) => void;
}

/** Choose an account or a deployment. */
export function SubjectPicker({ people, subject, onPick }: SubjectPickerProps) {
  return (
    <Select
      label="Account or deployment"
      searchable
      allowDeselect={false}
      nothingFoundMessage="None of that name"
      maxDropdownHeight={320}
      data={[
        {
          group: 'Accounts',
          items: people.accounts.map(({ id, user_name, name }) => ({
            value: keyOfSubject({ kind: 'account', id }),
            label: `${user_name}/${name}`,
          })),
        },
        {
          group: 'Deployments',
          items: people.deployments.map(({ id, user_name, account_name, name }) => ({
            value: keyOfSubject({ kind: 'deployment', id }),
            label: `${user_name}/${account_name}/${name}`,
          })),
        },
      ]}
      value={keyOfSubject(subject)}
      onChange={(value) => {
        const picked = value === null ? undefined : findSubject(value, people);
        if (picked !== undefined) onPick(picked);
      }}
    />
  );
}

export function keyOfSubject({ kind, id }: Subject): string {
  return `${kind}:${id}`;
}

/** Read back what `keyOfSubject` wrote; undefined where nobody has that name. */
export function findSubject(key: string, { accounts, deployments }: People): Subject | undefined {
  const all: Subject[] = [
    ...accounts.map(({ id }) => ({ kind: 'account' as const, id })),
    ...deployments.map(({ id }) => ({ kind: 'deployment' as const, id })),
  ];
  return all.find((subject) => keyOfSubject(subject) === key);
}
