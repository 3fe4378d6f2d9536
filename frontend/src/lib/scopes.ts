/** Name whom a limit, a lock or a switch covers. The API writes a scope's target as text. */
import type { Account, Deployment, KillSwitch, LimitScope } from '../client';

export interface People {
  accounts: Account[];
  deployments: Deployment[];
}

export function nameScope(scope: LimitScope, target: string, { accounts, deployments }: People): string {
  switch (scope) {
    case 'TENANT':
      return 'Everybody';
    case 'BROKER':
      return `All accounts at ${target}`;
    case 'FAMILY':
      return `Family ${target}`;
    case 'USER': {
      const own = accounts.find((account) => String(account.user_id) === target);
      return own === undefined ? `User ${target}` : `All accounts of ${own.user_name}`;
    }
    case 'ACCOUNT':
      return nameAccount(accounts.find((account) => String(account.id) === target)) ?? `Account ${target}`;
    case 'DEPLOYMENT':
      return nameDeployment(deployments.find((one) => String(one.id) === target)) ?? `Deployment ${target}`;
  }
}

function nameAccount(account: Account | undefined): string | undefined {
  return account && `${account.user_name}/${account.name}`;
}

function nameDeployment(one: Deployment | undefined): string | undefined {
  return one && `${one.user_name}/${one.account_name}/${one.name}`;
}

/** Return what the kill switch calls a scope; undefined where nothing of that name is known. */
export function switchTarget(
  scope: LimitScope,
  target: string,
  { accounts }: People,
): Pick<KillSwitch, 'scope' | 'target'> | undefined {
  switch (scope) {
    case 'TENANT':
      return { scope: 'tenant', target: null };
    case 'BROKER': {
      const broker = accounts.find((account) => account.broker === target)?.broker;
      return broker && { scope: 'broker', target: broker };
    }
    case 'FAMILY':
      return { scope: 'family', target: Number(target) };
    case 'USER':
      return { scope: 'user', target: Number(target) };
    case 'ACCOUNT':
      return { scope: 'account', target: Number(target) };
    case 'DEPLOYMENT':
      return { scope: 'deployment', target: Number(target) };
  }
}

/** An account or a deployment: what limits bind and what earns. */
export interface Subject {
  kind: 'account' | 'deployment';
  id: number;
}

/** The scopes that cover an account or a deployment, widest first. */
export function scopesOver(subject: Subject, { accounts, deployments }: People): [LimitScope, string][] {
  const deployment =
    subject.kind === 'deployment' ? deployments.find((one) => one.id === subject.id) : undefined;
  const accountId = subject.kind === 'account' ? subject.id : deployment?.account_id;
  const account = accounts.find((one) => one.id === accountId);
  if (account === undefined) return [];
  const over: [LimitScope, string][] = [
    ['TENANT', ''],
    ['BROKER', account.broker],
    ['USER', String(account.user_id)],
    ['ACCOUNT', String(account.id)],
  ];
  return deployment === undefined ? over : [...over, ['DEPLOYMENT', String(deployment.id)]];
}

/** The currency of a subject's amounts; "" while nothing is known of it. */
export function currencyOf(subject: Subject, { accounts, deployments }: People): string {
  const id =
    subject.kind === 'account' ? subject.id : deployments.find((one) => one.id === subject.id)?.account_id;
  return accounts.find((account) => account.id === id)?.currency ?? '';
}
