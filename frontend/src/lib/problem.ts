/** Turn whatever a request failed with into a sentence for people. */
export function describeProblem(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'detail' in error && typeof error.detail === 'string') {
    return error.detail;
  }
  return 'The server did not answer. Check the connection and try again.';
}

/** Whether a request failed for this stable reason. */
export function hasProblemCode(error: unknown, code: string): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code;
}
