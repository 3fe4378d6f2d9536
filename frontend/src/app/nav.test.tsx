import { screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, expect, it } from 'vitest';

import { setParameter, useParameter, usePath } from '../lib/route';
import { show } from '../testing/show';
import { Nav } from './nav';

afterEach(() => {
  window.history.replaceState(null, '', '/');
});

function Here() {
  return (
    <>
      <Nav />
      <output>
        {usePath()} {useParameter('of')}
      </output>
    </>
  );
}

it('walks by keyboard, says where one is, and goes back', async () => {
  window.scrollTo = () => undefined;
  const user = userEvent.setup();
  show(<Here />);
  await user.tab();
  await user.tab();
  await user.keyboard('{Enter}');

  expect(window.location.pathname).toBe('/risk');
  expect(screen.getByRole('link', { name: 'Risk' })).toHaveAttribute('aria-current', 'page');
  expect(screen.getByRole('link', { name: 'Today' })).not.toHaveAttribute('aria-current');
  window.history.back();
  expect(await screen.findByText('/')).toBeInTheDocument();
});

it('keeps the page and what was chosen on it in the address', async () => {
  window.history.replaceState(null, '', '/risk/?of=account:3');
  show(<Here />);
  expect(screen.getByText('/risk account:3')).toBeInTheDocument();

  setParameter('of', 'deployment:9');

  expect(await screen.findByText('/risk deployment:9')).toBeInTheDocument();
  expect(window.location.search).toBe('?of=deployment:9');
});
