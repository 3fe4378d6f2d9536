import { QueryClient } from '@tanstack/react-query';

/** The stream keeps the data fresh; polling is the slow safety net for when it does not. */
export function makeQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: { queries: { staleTime: 30_000, refetchInterval: 30_000, retry: 1 } },
  });
}
