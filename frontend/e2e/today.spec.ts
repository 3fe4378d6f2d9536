import { expect, test } from '@playwright/test';

import { signIn } from './sign-in';

test('a wrong password is said in a sentence', async ({ page }) => {
  await page.goto('/');
  await page.getByRole('textbox', { name: 'Name' }).fill('ops');
  await page.getByRole('textbox', { name: 'Password' }).fill('wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();

  await expect(page.getByRole('alert')).toHaveText('the name or the password is wrong');
});

test('an operator sees at once how the day is, and who could not log in', async ({ page }) => {
  await signIn(page);

  await expect(
    page.getByRole('region', { name: 'Verdict' }).or(page.getByRole('status', { name: 'Verdict' })),
  ).toContainText('3 of 30 accounts could not log in.');
  await expect(page.getByRole('list', { name: 'Failed logins' }).getByRole('listitem')).toHaveCount(3);
  await expect(page.getByRole('list', { name: 'All logins' }).getByRole('button')).toHaveCount(30);
  await page.getByRole('button', { name: /Gauri Kotak \(gauri\): failed/ }).click();
  await expect(
    page.getByText(/No answer through 10\.0\.0\.12 within 10 s\. · took 10000 ms · next try/),
  ).toBeVisible();
});

test('orders and profit change by themselves', async ({ page }) => {
  await signIn(page);
  const total = page.locator('.count', { hasText: 'Profit and loss' }).locator('.count-value');
  const newest = page.getByRole('region', { name: 'Orders' }).locator('tbody tr').first();
  const [money, order] = [await total.innerText(), await newest.innerText()];

  await expect(total).not.toHaveText(money);
  await expect.poll(() => newest.innerText()).not.toBe(order);
});

test('a lost connection is shown, and the page catches up by itself', async ({ page, context }) => {
  await signIn(page);

  await context.setOffline(true);
  await expect(page.getByRole('alert')).toContainText('what you see may be old');
  await context.setOffline(false);
  await expect(page.getByText('live', { exact: true })).toBeVisible();
});

test('a trader sees the own account only', async ({ page }) => {
  await signIn(page, 'aarav');

  await expect(page.getByRole('list', { name: 'All logins' }).getByRole('button')).toHaveCount(1);
  await expect(page.getByRole('region', { name: 'Runs' })).toHaveCount(0);
  await expect(page.getByText('Aditi Kotak')).toHaveCount(0);
});

for (const [name, width, height, scheme] of [
  ['desktop', 1440, 900, 'light'],
  ['desktop-dark', 1440, 900, 'dark'],
  ['phone', 390, 844, 'light'],
] as const) {
  test(`the page fits a ${name} without sideways scrolling`, async ({ page }, info) => {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme: scheme });
    await signIn(page);
    await expect(page.getByRole('region', { name: 'Positions' }).first()).toContainText('Aarav');

    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);
    await page.screenshot({ path: info.outputPath(`${name}.png`), fullPage: true });
  });
}
