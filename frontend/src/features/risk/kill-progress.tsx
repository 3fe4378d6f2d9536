import { Alert, Progress, Stack, Table, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';

import type { KillProgress } from '../../client';
import { showKillSwitchOptions } from '../../client/@tanstack/react-query.gen';
import { describeProblem } from '../../lib/problem';

const LOOK_EVERY_MS = 1000;

/** Follow a pressed kill switch until every account is flat; list those that are not, with the reason. */
export function KillProgressView({ commandId }: { commandId: number }) {
  const followed = useQuery({
    ...showKillSwitchOptions({ path: { command_id: commandId } }),
    refetchInterval: ({ state }) => (state.data?.is_flat === true ? false : LOOK_EVERY_MS),
  });
  if (followed.data === undefined) {
    return followed.isError ? <Alert color="red">{describeProblem(followed.error)}</Alert> : null;
  }
  return <Standing kill={followed.data} />;
}

function Standing({ kill }: { kill: KillProgress }) {
  const open = kill.accounts.filter((account) => account.why_not_flat !== null);
  const flat = kill.accounts.length - open.length;
  const { p50_ms: p50, p99_ms: p99, accounts: measured } = kill.press_to_last_order;
  return (
    <Stack gap="xs" role="status" aria-label="Progress of the kill switch">
      <Text size="sm">
        {kill.is_flat ? 'Everything is flat' : 'Closing'}: {flat} of {kill.accounts.length} accounts that had
        something to close are flat.
      </Text>
      <Progress
        aria-label="Accounts that are flat"
        color={kill.is_flat ? 'teal' : 'red'}
        value={kill.accounts.length === 0 ? 100 : (100 * flat) / kill.accounts.length}
      />
      {measured > 0 && (
        <Text size="xs" c="dimmed">
          Press to last order: p50 {p50} ms, p99 {p99} ms ({measured} accounts)
        </Text>
      )}
      {!kill.is_flat && !kill.are_exits_running && (
        <Alert color="red">No exits lane is alive: nothing is closed until the workers run.</Alert>
      )}
      {open.length > 0 && (
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Account</Table.Th>
              <Table.Th>Open legs</Table.Th>
              <Table.Th>Why it is not flat</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {open.map((account) => (
              <Table.Tr key={account.account_id}>
                <Table.Td>
                  {account.user_name}/{account.account_name}
                </Table.Td>
                <Table.Td className="num">{account.open_legs}</Table.Td>
                <Table.Td>{account.why_not_flat}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Stack>
  );
}
