/** Turn whatever a request failed with into a sentence for people. */
export function describeProblem(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'detail' in error && typeof error.detail === 'string') {
    return error.detail;
  }
  return 'The server did not answer. Check the connection and try again.';
}
