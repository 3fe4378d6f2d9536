/** Read who there is, for names and choices; the lists change seldom. */
import { useQuery } from '@tanstack/react-query';

import { listAccountsOptions, listDeploymentsOptions } from '../client/@tanstack/react-query.gen';
import type { People } from './scopes';

export function usePeople(): People & { isPending: boolean; error: unknown } {
  const accounts = useQuery(listAccountsOptions());
  const deployments = useQuery(listDeploymentsOptions());
  return {
    accounts: accounts.data ?? [],
    deployments: deployments.data ?? [],
    isPending: accounts.isPending || deployments.isPending,
    error: accounts.error ?? deployments.error,
  };
}
