import { Alert, Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import type { LimitInForce, LimitScope, LimitVersion } from '../../client';
import {
  addLimitsMutation,
  listLimitVersionsQueryKey,
  tryLimitSetMutation,
} from '../../client/@tanstack/react-query.gen';
import { formatMoment } from '../../lib/format';
import { describeProblem, hasProblemCode } from '../../lib/problem';
import type { People } from '../../lib/scopes';
import { LimitFields } from './limit-fields';
import { draftOf, isSameSet, setOf } from './limit-values';
import { SetList } from './set-list';
import { TrialResult } from './trial-result';

const REASON_LENGTH = 3;

interface LimitEditorProps {
  scope: LimitScope;
  target: string;
  whom: string;
  people: People;
  currency: string;
  /** The newest version that is known; it changes under the editor when somebody else sets one. */
  newest: LimitVersion | undefined;
  inForce: LimitInForce[];
  isStaff: boolean;
  onClose: () => void;
}

/** Change a set: first see what it would have denied today, then save it over the version that was seen. */
export function LimitEditor(props: LimitEditorProps) {
  const { scope, target, whom, people, currency, newest, inForce, onClose } = props;
  const queries = useQueryClient();
  const [seen, setSeen] = useState(newest);
  const [draft, setDraft] = useState(() => draftOf(newest?.values ?? {}));
  const [reason, setReason] = useState('');
  const values = setOf(draft);
  const trial = useMutation(tryLimitSetMutation());
  const save = useMutation({
    ...addLimitsMutation(),
    onSuccess: () => void queries.invalidateQueries(),
    // Waited for: who was refused must see what is newest, whatever it was refused for.
    onError: () =>
      queries.invalidateQueries({ queryKey: listLimitVersionsQueryKey({ query: { scope, target } }) }),
  });
  // A trial counts for exactly the set that it tried.
  const isTried = trial.data !== undefined && isSameSet(trial.variables.body.values, values);
  // While one's own version is being saved, a newer one may be just that.
  const isReplaced = !save.isPending && newest !== undefined && newest.version !== (seen?.version ?? 0);
  const isChanged = !isSameSet(values, seen?.values ?? {});
  const startAgain = () => {
    setSeen(newest);
    setDraft(draftOf(newest?.values ?? {}));
    trial.reset();
    save.reset();
  };
  if (save.data !== undefined) return <Saved version={save.data} whom={whom} onClose={onClose} />;
  return (
    <Modal opened onClose={onClose} title={`Limits: ${whom}`} size="xl">
      <Stack gap="sm">
        <Text size="sm">
          The whole set is replaced; an empty field is not limited here.{' '}
          {props.isStaff
            ? 'A set can only tighten what wider sets and defaults say; only an administrator may loosen it.'
            : 'You may not go below what staff has set here.'}
        </Text>
        <LimitFields draft={draft} inForce={inForce} currency={currency} onChange={setDraft} />
        {isReplaced ? (
          <Replaced newest={newest} currency={currency} isRefused={save.isError} onStartAgain={startAgain} />
        ) : (
          <>
            <Group>
              <Button
                variant={isTried ? 'default' : 'filled'}
                loading={trial.isPending}
                onClick={() => {
                  save.reset();
                  trial.mutate({ body: { scope, target, values } });
                }}
              >
                What would this have denied today?
              </Button>
            </Group>
            {trial.isError && <Refusal error={trial.error} />}
            {isTried && <TrialResult trial={trial.data} people={people} />}
            <TextInput
              label="Reason"
              description="Is kept with the version and in the audit log."
              value={reason}
              onChange={(event) => {
                setReason(event.currentTarget.value);
              }}
            />
            {save.isError && <Refusal error={save.error} />}
            <Group justify="flex-end">
              {!(isTried && isChanged) && (
                <Text size="sm" c="dimmed">
                  {isChanged ? 'First see what it would have denied today.' : 'Nothing is changed yet.'}
                </Text>
              )}
              <Button variant="default" onClick={onClose}>
                Cancel
              </Button>
              <Button
                disabled={!isTried || !isChanged || reason.trim().length < REASON_LENGTH}
                loading={save.isPending}
                onClick={() => {
                  const version = seen?.version ?? 0;
                  const body = { scope, target, values, expected_version: version, reason: reason.trim() };
                  save.mutate({ body });
                }}
              >
                Save as version {(seen?.version ?? 0) + 1}
              </Button>
            </Group>
          </>
        )}
      </Stack>
    </Modal>
  );
}

function Refusal({ error }: { error: unknown }) {
  const isConflict = hasProblemCode(error, 'conflict');
  return (
    <Alert color="red" role="alert" title={isConflict ? 'Somebody else has changed this set' : undefined}>
      {describeProblem(error)}
    </Alert>
  );
}

interface ReplacedProps {
  newest: LimitVersion;
  currency: string;
  isRefused: boolean;
  onStartAgain: () => void;
}

/** Tell that the version which was seen is not the newest any more, and show that one. */
function Replaced({ newest, currency, isRefused, onStartAgain }: ReplacedProps) {
  return (
    <Alert color="orange" role="alert" title="Somebody else has changed this set">
      <Stack gap="xs" align="flex-start">
        <div>
          {isRefused && 'Nothing of yours was saved. '}
          Version {newest.version} by {newest.actor}, {formatMoment(newest.ts_init)} ({newest.reason}) is the
          newest:
          <SetList values={newest.values} currency={currency} />
        </div>
        <Button size="xs" variant="default" onClick={onStartAgain}>
          Start again from version {newest.version}
        </Button>
      </Stack>
    </Alert>
  );
}

function Saved({ version, whom, onClose }: { version: LimitVersion; whom: string; onClose: () => void }) {
  return (
    <Modal opened onClose={onClose} title={`Limits: ${whom}`} centered>
      <Stack gap="sm">
        <Alert color="teal" role="status" title="Saved">
          Version {version.version} binds the next order.
        </Alert>
        <Group justify="flex-end">
          <Button data-autofocus onClick={onClose}>
            Close
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
