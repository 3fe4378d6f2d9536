import { Alert, Progress, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';

import type { KilledAccountInfo, KillProgress } from '../../client';
import { showKillSwitchOptions } from '../../client/@tanstack/react-query.gen';
import { ToneIcon } from '../../components/icons';
import { type Field, Records } from '../../components/records';
import { formatTime } from '../../lib/format';
import { describeProblem } from '../../lib/problem';

const LOOK_EVERY_MS = 1000;
const LIST_HEIGHT = 320;

/** Follow a pressed kill switch until every account is flat; list those that are not, with the reason. */
export function KillProgressView({ commandId }: { commandId: number }) {
  const followed = useQuery({
    ...showKillSwitchOptions({ path: { command_id: commandId } }),
    refetchInterval: ({ state }) => (state.data?.is_flat === true ? false : LOOK_EVERY_MS),
  });
  if (followed.data === undefined) {
    return followed.isError ? <Alert color="red">{describeProblem(followed.error)}</Alert> : null;
  }
  return <KillStanding kill={followed.data} label="Progress of the kill switch" />;
}

/** Say how far a pressed kill switch is: the sum, then each account, those that are not flat first. */
export function KillStanding({ kill, label }: { kill: KillProgress; label: string }) {
  const open = kill.accounts.filter((account) => account.why_not_flat !== null);
  const flat = kill.accounts.filter((account) => account.why_not_flat === null);
  const { p50_ms: p50, p99_ms: p99, accounts: measured } = kill.press_to_last_order;
  return (
    <Stack gap="xs">
      <div role="status" aria-label={label}>
        <Text size="sm">
          {kill.is_flat ? 'Everything is flat' : 'Closing'}: {flat.length} of {kill.accounts.length} accounts
          that had something to close are flat.
        </Text>
        {measured > 0 && (
          <Text size="xs" c="dimmed">
            Press to last order: p50 {p50} ms, p99 {p99} ms ({measured} accounts)
          </Text>
        )}
      </div>
      <Progress
        aria-label="Accounts that are flat"
        color={kill.is_flat ? 'teal' : 'red'}
        value={kill.accounts.length === 0 ? 100 : (100 * flat.length) / kill.accounts.length}
      />
      {!kill.is_flat && !kill.are_exits_running && (
        <Alert color="red">No exits lane is alive: nothing is closed until the workers run.</Alert>
      )}
      {kill.accounts.length > 0 && (
        <Records
          label="Accounts of the kill switch"
          rows={[...open, ...flat]}
          fields={FIELDS}
          rowKey={(account) => account.account_id}
          maxHeight={LIST_HEIGHT}
        />
      )}
    </Stack>
  );
}

const FIELDS: Field<KilledAccountInfo>[] = [
  {
    key: 'account',
    title: 'Account',
    render: ({ user_name, account_name }) => `${user_name}/${account_name}`,
  },
  { key: 'legs', title: 'Open legs', isNumber: true, render: (account) => account.open_legs },
  {
    key: 'took',
    title: 'Last order',
    isNumber: true,
    render: ({ press_to_last_order_ms: took }) => (took === null ? 'none sent' : `after ${took} ms`),
  },
  { key: 'state', title: 'Flat', render: (account) => <FlatOrWhy account={account} /> },
];

function FlatOrWhy({ account }: { account: KilledAccountInfo }) {
  const isFlat = account.why_not_flat === null;
  return (
    <span className="state">
      <ToneIcon tone={isFlat ? 'good' : 'bad'} />
      {isFlat ? (
        <>flat{account.flat_at !== null && ` at ${formatTime(account.flat_at)}`}</>
      ) : (
        <>
          <b>not yet:</b> <span>{account.why_not_flat}</span>
        </>
      )}
    </span>
  );
}
