import { Alert, Button, Group, Modal, Select, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import type {
  Account,
  BrokerCode,
  ControlAction,
  Deployment,
  Family,
  KillSwitch as Asked,
  Me,
} from '../../client';
import {
  killSwitchMutation,
  listAccountsOptions,
  listDeploymentsOptions,
  listFamiliesOptions,
} from '../../client/@tanstack/react-query.gen';
import { Ordered } from '../../components/reason-dialog';
import { describeProblem } from '../../lib/problem';
import { KillProgressView } from './kill-progress';

const ACTIONS: Record<ControlAction, { label: string; effect: string }> = {
  HALT: {
    label: 'Halt and flatten',
    effect: 'No new entries; unsent entries are canceled; every open position is closed now.',
  },
  REDUCE: { label: 'Stop entries only', effect: 'No new entries; positions keep their stops and exits.' },
  RESUME: { label: 'Resume', effect: 'New entries are allowed again.' },
};

function isAction(value: string | null): value is ControlAction {
  return value !== null && value in ACTIONS;
}

/** Stop trading with a typed confirmation; works in the database, also while the queue is down. */
export function KillSwitch({ me }: { me: Me }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <Button
        color="red"
        size="xs"
        onClick={() => {
          setOpen(true);
        }}
      >
        Kill switch
      </Button>
      {isOpen && (
        <KillDialog
          me={me}
          onClose={() => {
            setOpen(false);
          }}
        />
      )}
    </>
  );
}

function KillDialog({ me, onClose }: { me: Me; onClose: () => void }) {
  const { data: accounts = [] } = useQuery(listAccountsOptions());
  const { data: deployments = [] } = useQuery(listDeploymentsOptions());
  const { data: families = [] } = useQuery({ ...listFamiliesOptions(), enabled: me.is_staff });
  const queries = useQueryClient();
  const [whom, setWhom] = useState(me.is_staff ? 'tenant' : `user:${me.id}`);
  const [action, setAction] = useState<ControlAction>('HALT');
  const [reason, setReason] = useState('');
  const [typed, setTyped] = useState('');
  const kill = useMutation({
    ...killSwitchMutation(),
    onSuccess: () => queries.invalidateQueries(),
  });
  const isConfirmed = typed.trim().toUpperCase() === action && reason.trim().length >= 3;
  const submit = () => {
    kill.mutate({ body: { ...targetOf(whom, accounts), action, reason: reason.trim() } });
  };
  return (
    <Modal opened onClose={onClose} title="Kill switch" centered>
      <Stack gap="sm">
        {kill.data !== undefined ? (
          <>
            {action === 'HALT' && <KillProgressView commandId={kill.data.id} />}
            <Ordered command={kill.data} onClose={onClose} />
          </>
        ) : (
          <>
            <Select
              label="Whom"
              searchable
              allowDeselect={false}
              data={targets(me, { accounts, deployments, families })}
              value={whom}
              onChange={(value) => {
                if (value !== null) setWhom(value);
              }}
            />
            <Select
              label="What"
              allowDeselect={false}
              data={Object.entries(ACTIONS)
                .filter(([key]) => me.is_staff || key !== 'RESUME')
                .map(([value, { label }]) => ({ value, label }))}
              value={action}
              onChange={(value) => {
                if (isAction(value)) setAction(value);
              }}
            />
            <Text size="sm">{ACTIONS[action].effect}</Text>
            <TextInput
              label="Reason"
              description="Goes into the audit log."
              value={reason}
              onChange={(event) => {
                setReason(event.currentTarget.value);
              }}
            />
            <TextInput
              label={`Type ${action} to confirm`}
              autoComplete="off"
              value={typed}
              onChange={(event) => {
                setTyped(event.currentTarget.value);
              }}
            />
            {kill.isError && (
              <Alert color="red" role="alert">
                {describeProblem(kill.error)}
              </Alert>
            )}
            <Group justify="flex-end">
              <Button variant="default" onClick={onClose}>
                Cancel
              </Button>
              <Button
                color={action === 'RESUME' ? 'teal' : 'red'}
                disabled={!isConfirmed}
                loading={kill.isPending}
                onClick={submit}
              >
                {ACTIONS[action].label}
              </Button>
            </Group>
          </>
        )}
      </Stack>
    </Modal>
  );
}

interface Known {
  accounts: Account[];
  deployments: Deployment[];
  families: Family[];
}

function targets(me: Me, { accounts, deployments, families }: Known) {
  const users = new Map(accounts.map((account) => [account.user_id, account.user_name]));
  const all = me.is_staff ? [{ value: 'tenant', label: 'Everybody' }] : [];
  const brokers = me.is_staff ? [...new Set(accounts.map((account) => account.broker))] : [];
  const people = [...users].map(([id, name]) => ({
    value: `user:${id}`,
    label: id === me.id ? 'All my accounts' : `All accounts of ${name}`,
  }));
  return [
    ...all,
    ...brokers.map((broker) => ({ value: `broker:${broker}`, label: `All accounts at ${broker}` })),
    ...families.map((family) => ({ value: `family:${family.family_id}`, label: `Family ${family.name}` })),
    ...people,
    ...accounts.map((account) => ({ value: `account:${account.id}`, label: `Account ${account.name}` })),
    ...deployments.map((one) => ({
      value: `deployment:${one.id}`,
      label: `Deployment ${one.name} of ${one.user_name}/${one.account_name}`,
    })),
  ];
}

/** Read back what `targets` wrote; what is not understood is refused, never widened. */
function targetOf(whom: string, accounts: Account[]): Pick<Asked, 'scope' | 'target'> {
  const [scope, target = ''] = whom.split(':');
  switch (scope) {
    case 'tenant':
      return { scope, target: null };
    case 'broker':
      return { scope, target: brokerNamed(target, accounts) };
    case 'family':
    case 'user':
    case 'account':
    case 'deployment':
      return { scope, target: Number(target) };
    default:
      throw new Error(`expected a target of the list, got ${whom}`);
  }
}

function brokerNamed(code: string, accounts: Account[]): BrokerCode {
  const found = accounts.find((account) => account.broker === code);
  if (found === undefined) throw new Error(`expected a broker of an account, got ${code}`);
  return found.broker;
}
