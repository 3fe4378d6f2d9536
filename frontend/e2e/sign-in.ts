import { expect, type Page } from '@playwright/test';

export async function signIn(page: Page, name = 'ops', path = '/'): Promise<void> {
  await page.goto(path);
  await page.getByRole('textbox', { name: 'Name' }).fill(name);
  await page.getByRole('textbox', { name: 'Password' }).fill('correct horse');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByText('live', { exact: true })).toBeVisible();
}
