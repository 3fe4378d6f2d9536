import { setupServer } from 'msw/node';

/** Answers what a test lets it answer; any other request fails the test. */
export const server = setupServer();
