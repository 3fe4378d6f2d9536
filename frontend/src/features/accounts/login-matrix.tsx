import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';

import type { Login } from '../../client';
import { listLoginsOptions, retryLoginMutation } from '../../client/@tanstack/react-query.gen';
import { ReasonDialog } from '../../components/reason-dialog';
import { ToneIcon } from '../../components/icons';
import { Panel } from '../../components/panel';
import { formatTime } from '../../lib/format';
import { REMEDY, STATUS } from './login-status';

const MANY = 60;

/** Show every account's login: the failed ones first with what to do, then all as cells. */
export function LoginMatrix() {
  const { data: logins = [], isPending } = useQuery(listLoginsOptions());
  const [retried, setRetried] = useState<Login | null>(null);
  const [picked, setPicked] = useState<number | null>(null);
  const failed = logins.filter((login) => login.status === 'FAILED');
  const shown = logins.find((login) => login.account_id === picked);
  const ready = logins.filter((login) => login.status === 'READY').length;
  return (
    <Panel title="Logins" note={isPending ? 'loading' : `${ready} of ${logins.length} ready`}>
      {!isPending && logins.length === 0 && <p className="empty">No accounts yet.</p>}
      {failed.length > 0 && (
        <ul className="failed-logins" aria-label="Failed logins">
          {failed.map((login) => (
            <FailedLogin key={login.account_id} login={login} onRetry={setRetried} />
          ))}
        </ul>
      )}
      <ul className={logins.length > MANY ? 'matrix matrix-dense' : 'matrix'} aria-label="All logins">
        {logins.map((login) => (
          <li key={login.account_id}>
            <button
              type="button"
              className={`cell cell-${login.status.toLowerCase()}`}
              title={explain(login)}
              aria-label={explain(login)}
              aria-pressed={login.account_id === picked}
              onClick={() => {
                setPicked(login.account_id === picked ? null : login.account_id);
              }}
            >
              <ToneIcon tone={STATUS[login.status].tone} size={11} />
              <span className="cell-name">{login.account_name}</span>
            </button>
          </li>
        ))}
      </ul>
      {shown !== undefined && (
        <p className="picked" role="status">
          {explain(shown)}
        </p>
      )}
      {retried !== null && (
        <ReasonDialog
          title={`Log ${retried.account_name} in again`}
          action="Try again"
          mutation={retryLoginMutation()}
          variables={(reason) => ({ path: { account_id: retried.account_id }, body: { reason } })}
          onClose={() => {
            setRetried(null);
          }}
        />
      )}
    </Panel>
  );
}

function FailedLogin({ login, onRetry }: { login: Login; onRetry: (login: Login) => void }) {
  const { problem, remedy } = REMEDY[login.reason];
  return (
    <li>
      <ToneIcon tone="bad" />
      <div className="failed-text">
        <b>{login.account_name}</b> · {problem} · {login.attempts} {login.attempts === 1 ? 'try' : 'tries'}
        <div className="dim">{login.detail}</div>
        <div className="remedy">→ {remedy}</div>
      </div>
      <Button
        size="compact-xs"
        variant="default"
        aria-label={`Retry ${login.account_name}`}
        onClick={() => {
          onRetry(login);
        }}
      >
        Retry
      </Button>
    </li>
  );
}

function explain(login: Login): string {
  const parts = [`${login.account_name} (${login.user_name}): ${STATUS[login.status].word}`];
  if (login.status === 'FAILED') parts.push(REMEDY[login.reason].problem);
  if (login.detail !== '') parts.push(login.detail);
  if (login.finished_at !== null) parts.push(`at ${formatTime(login.finished_at)}`);
  if (login.took_ms !== null) parts.push(`took ${login.took_ms} ms`);
  if (login.next_try_at !== null) parts.push(`next try ${formatTime(login.next_try_at)}`);
  return parts.join(' · ');
}
