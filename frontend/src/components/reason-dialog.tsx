/** Ask for a reason, which goes into the audit log, before something is ordered. */
import { Alert, Button, Group, Modal, Stack, TextInput } from '@mantine/core';
import { useMutation, type UseMutationOptions } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';

import type { Command } from '../client';
import { describeProblem } from '../lib/problem';

interface ReasonDialogProps<Variables> {
  title: string;
  action: string;
  children?: ReactNode;
  // The generated mutations differ in their error type, which is only shown.
  mutation: Pick<UseMutationOptions<Command, never, Variables>, 'mutationFn'>;
  variables: (reason: string) => Variables;
  onClose: () => void;
  onDone?: () => void;
}

export function ReasonDialog<Variables>({
  title,
  action,
  children,
  mutation,
  variables,
  onClose,
  onDone,
}: ReasonDialogProps<Variables>) {
  const [reason, setReason] = useState('');
  const order = useMutation<Command, unknown, Variables>({ ...mutation, onSuccess: onDone });
  const submit = () => {
    order.mutate(variables(reason.trim()));
  };
  return (
    <Modal opened onClose={onClose} title={title} centered>
      <Stack gap="sm">
        {children}
        {order.data === undefined ? (
          <>
            <TextInput
              label="Reason"
              description="Goes into the audit log."
              value={reason}
              data-autofocus
              onChange={(event) => {
                setReason(event.currentTarget.value);
              }}
            />
            {order.isError && (
              <Alert color="red" role="alert">
                {describeProblem(order.error)}
              </Alert>
            )}
            <Group justify="flex-end">
              <Button variant="default" onClick={onClose}>
                Cancel
              </Button>
              <Button disabled={reason.trim().length < 3} loading={order.isPending} onClick={submit}>
                {action}
              </Button>
            </Group>
          </>
        ) : (
          <Ordered command={order.data} onClose={onClose} />
        )}
      </Stack>
    </Modal>
  );
}

/** Say that an order was taken, with the id that the audit log knows. */
export function Ordered({ command, onClose }: { command: Command; onClose: () => void }) {
  const isDone = command.status === 'DONE';
  return (
    <>
      <Alert color={isDone ? 'teal' : 'blue'} role="status" title={isDone ? 'Done' : 'Requested'}>
        Command {command.id} {isDone ? 'is done.' : 'is with the workers; the page shows what becomes of it.'}
        {Object.entries(command.result).map(([key, value]) => (
          <div key={key}>
            {key.replaceAll('_', ' ')}: <b className="num">{String(value)}</b>
          </div>
        ))}
      </Alert>
      <Group justify="flex-end">
        <Button onClick={onClose}>Close</Button>
      </Group>
    </>
  );
}
