import { http, HttpResponse } from 'msw';

import type { Account, Deployment, Me } from '../client';

export const TRADER: Me = { id: 7, name: 'aarav', role: 'TRADER', trading_state: 'ACTIVE', is_staff: false };
export const OPS: Me = { id: 1, name: 'ops', role: 'OPS', trading_state: 'ACTIVE', is_staff: true };

export const ACCOUNT: Account = {
  id: 3,
  user_id: 7,
  user_name: 'aarav',
  name: 'main',
  broker: 'kotak_neo',
  mode: 'PAPER',
  currency: 'INR',
  egress: '',
  is_enabled: true,
  trading_state: 'ACTIVE',
  state_reason: '',
  user_trading_state: 'ACTIVE',
  settings: {},
};

export const DEPLOYMENT: Deployment = {
  id: 9,
  user_id: 7,
  account_id: 3,
  account_name: 'main',
  user_name: 'aarav',
  name: 'straddle',
  strategy: 'short_straddle',
  params: {},
  sizing: {},
  state: 'ACTIVE',
  state_reason: '',
  armed_on: null,
};

export const PEOPLE = { accounts: [ACCOUNT], deployments: [DEPLOYMENT] };

/** Answer who there is. */
export const people = () => [
  http.get('*/api/v1/accounts', () => HttpResponse.json(PEOPLE.accounts)),
  http.get('*/api/v1/deployments', () => HttpResponse.json(PEOPLE.deployments)),
];
