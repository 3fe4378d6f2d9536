import { useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';

import { SignInPage } from '../features/auth/sign-in-page';
import { usePath } from '../lib/route';
import { useToken } from '../lib/session';
import { useStream } from '../stream/use-stream';
import { RiskPage } from './risk-page';
import { TodayPage } from './today-page';

export function App() {
  const isSignedIn = useToken() !== null;
  const path = usePath();
  const queries = useQueryClient();
  useStream();
  useEffect(() => {
    // What one person saw must not be shown to the next.
    if (!isSignedIn) queries.clear();
  }, [isSignedIn, queries]);
  if (!isSignedIn) return <SignInPage />;
  return path === '/risk' ? <RiskPage /> : <TodayPage />;
}
