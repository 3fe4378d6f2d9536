import '@mantine/core/styles.css';
import './app/app.css';
import './app/lists.css';
import './components/records.css';
import './components/table.css';
import './features/accounts/accounts.css';
import './features/day/day.css';
import './features/risk/risk.css';
import './features/unknown/unknown.css';

import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import { App } from './app/app';
import { Providers } from './app/providers';
import { configureClient } from './lib/session';

configureClient();
const root = document.getElementById('root');
if (root === null) throw new Error('expected an element #root in index.html');
createRoot(root).render(
  <StrictMode>
    <Providers>
      <App />
    </Providers>
  </StrictMode>,
);
