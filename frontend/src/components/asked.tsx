/** Stand for data that is being fetched or could not be. */
import { Alert, Loader } from '@mantine/core';

import { describeProblem } from '../lib/problem';

export function Asked({ what, error, isPending }: { what: string; error: unknown; isPending: boolean }) {
  if (error !== null && error !== undefined) {
    return (
      <Alert color="red" role="alert" title={`${what} cannot be loaded`}>
        {describeProblem(error)}
      </Alert>
    );
  }
  return isPending ? <Loader size="sm" m="sm" aria-label={`Loading ${what.toLowerCase()}`} /> : null;
}
