import { useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';

import { getToken, keepSignedIn, setToken, useToken } from '../lib/session';
import { FrameFolder } from './handlers';
import { live } from './live-store';
import { Stream } from './socket';

/** Run the tab's one stream while somebody is signed in. */
export function useStream(): void {
  const queries = useQueryClient();
  const token = useToken();
  const isSignedIn = token !== null;
  useEffect(() => {
    if (!isSignedIn) return;
    const folder = new FrameFolder(queries, live);
    const url = `${window.location.origin.replace(/^http/, 'ws')}/ws`;
    const stream = new Stream(url, getToken, {
      onFrame: folder.fold,
      onGap: folder.refetchAll,
      onState: (state) => {
        live.setState(state);
      },
      onUnauthorized: () => {
        setToken(null);
      },
    });
    stream.open();
    const stopRenewing = keepSignedIn(() => {
      stream.sendToken();
    });
    return () => {
      stopRenewing();
      folder.dispose();
      stream.close();
    };
  }, [queries, isSignedIn]);
}
