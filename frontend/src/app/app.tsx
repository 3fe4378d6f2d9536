import { useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';

import { SignInPage } from '../features/auth/sign-in-page';
import { useToken } from '../lib/session';
import { useStream } from '../stream/use-stream';
import { TodayPage } from './today-page';

export function App() {
  const isSignedIn = useToken() !== null;
  const queries = useQueryClient();
  useStream();
  useEffect(() => {
    // What one person saw must not be shown to the next.
    if (!isSignedIn) queries.clear();
  }, [isSignedIn, queries]);
  return isSignedIn ? <TodayPage /> : <SignInPage />;
}
