import { expect, test } from '@playwright/test';

import { signIn } from './sign-in';

test('the kill switch asks for a reason and a typed word, then flattens', async ({ page }) => {
  await signIn(page, 'varun');
  const positions = page.getByRole('region', { name: 'Positions' }).first();
  await expect(positions).toContainText('2 open');
  await page.getByRole('button', { name: 'Kill switch' }).click();
  const dialog = page.getByRole('dialog');
  const button = dialog.getByRole('button', { name: 'Halt and flatten' });

  await expect(button).toBeDisabled();
  await dialog.getByRole('textbox', { name: 'Reason' }).fill('end of the test');
  await expect(button).toBeDisabled();
  await dialog.getByRole('textbox', { name: 'Type HALT to confirm' }).fill('HALT');
  await button.click();

  await expect(dialog.getByRole('status').filter({ hasText: 'exits requested' })).toBeVisible();
  await expect(dialog.getByRole('status', { name: 'Progress of the kill switch' })).toBeVisible();
  await dialog.getByRole('button', { name: 'Close' }).last().click();
  await expect(page.getByText('1 account(s) are HALTED.')).toBeVisible();
  await expect(positions).toContainText('0 open');
});
