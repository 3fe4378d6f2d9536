import {
  Alert,
  Autocomplete,
  Button,
  Checkbox,
  Group,
  Modal,
  Radio,
  Stack,
  Text,
  TextInput,
} from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import type { Fate, UnknownOrder } from '../../client';
import { resolveUnknownOrderMutation } from '../../client/@tanstack/react-query.gen';
import { Ordered } from '../../components/reason-dialog';
import { formatInstrument } from '../../lib/format';
import { describeProblem, hasProblemCode } from '../../lib/problem';

const REASON_LENGTH = 10;

/** Say what became of an order; what the evidence speaks against needs a second confirmation. */
export function ResolveDialog({ order, onClose }: { order: UnknownOrder; onClose: () => void }) {
  const queries = useQueryClient();
  const [fate, setFate] = useState<Fate>('NOT_PLACED');
  const [number, setNumber] = useState(order.lookalikes[0] ?? '');
  const [reason, setReason] = useState('');
  const [isConfirmed, setConfirmed] = useState(false);
  const settle = useMutation({
    ...resolveUnknownOrderMutation(),
    onSuccess: () => queries.invalidateQueries(),
  });
  // What was confirmed is one sentence about one fate: another one must be confirmed again.
  const change = (apply: () => void) => {
    apply();
    setConfirmed(false);
    settle.reset();
  };
  const isAgainstEvidence = hasProblemCode(settle.error, 'evidence_against');
  const isComplete =
    reason.trim().length >= REASON_LENGTH &&
    (fate === 'NOT_PLACED' || number.trim() !== '') &&
    (!isAgainstEvidence || isConfirmed);
  const submit = () => {
    settle.mutate({
      path: { order_id: order.id },
      body: {
        fate,
        broker_order_id: fate === 'PLACED' ? number.trim() : null,
        reason: reason.trim(),
        is_confirmed: isConfirmed,
      },
    });
  };
  if (settle.data !== undefined) {
    return (
      <Modal opened onClose={onClose} title="Resolve an unknown outcome" centered>
        <Ordered command={settle.data} onClose={onClose} />
      </Modal>
    );
  }
  return (
    <Modal opened onClose={onClose} title="Resolve an unknown outcome" centered>
      <Stack gap="sm">
        <Text size="sm">
          <b>{order.account_name}</b>: {order.side.toLowerCase()} {order.quantity}{' '}
          {formatInstrument(order.instrument_id)}, tag <span className="num">{order.client_order_id}</span>.
          Ask the broker first: what you say here is believed.
        </Text>
        <Radio.Group
          label="What became of it"
          value={fate}
          onChange={(value) => {
            change(() => {
              setFate(value === 'PLACED' ? 'PLACED' : 'NOT_PLACED');
            });
          }}
        >
          <Stack gap={6} mt={6}>
            <Radio value="NOT_PLACED" label="Not placed: the broker never got it" />
            <Radio value="PLACED" label="Placed: the broker has it under a number" />
          </Stack>
        </Radio.Group>
        {fate === 'PLACED' && (
          <Autocomplete
            label="The broker's order number"
            data={order.lookalikes}
            value={number}
            onChange={(value) => {
              change(() => {
                setNumber(value);
              });
            }}
          />
        )}
        <TextInput
          label="Reason"
          description={`At least ${REASON_LENGTH} characters; goes into the audit log.`}
          value={reason}
          data-autofocus
          onChange={(event) => {
            setReason(event.currentTarget.value);
          }}
        />
        {settle.isError && (
          <Alert color={isAgainstEvidence ? 'orange' : 'red'} role="alert">
            {describeProblem(settle.error)}
          </Alert>
        )}
        {isAgainstEvidence && (
          <Checkbox
            label="I have asked the broker and overrule the evidence"
            checked={isConfirmed}
            onChange={(event) => {
              setConfirmed(event.currentTarget.checked);
            }}
          />
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button disabled={!isComplete} loading={settle.isPending} onClick={submit}>
            {fate === 'PLACED' ? 'Settle as placed' : 'Settle as not placed'}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
