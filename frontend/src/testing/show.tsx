import { MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { render } from '@testing-library/react';
import type { ReactNode } from 'react';

import { client } from '../client/client.gen';

/** Show a part of the page with what surrounds it; what it asks for must be answered by the test. */
export function show(children: ReactNode): void {
  client.setConfig({ baseUrl: 'http://localhost' });
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(
    <QueryClientProvider client={queries}>
      <MantineProvider env="test">{children}</MantineProvider>
    </QueryClientProvider>,
  );
}
