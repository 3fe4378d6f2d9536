import { expect, type Page, test } from '@playwright/test';

import { signIn } from './sign-in';

const locks = (page: Page) => page.getByRole('table', { name: 'Loss locks of today' });

test('the page Risk is reached by keyboard, keeps its address over a reload, and leads back', async ({
  page,
}) => {
  await signIn(page);
  await page.getByRole('link', { name: 'Today' }).focus();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/risk$/);
  await expect(page.getByRole('main')).toBeFocused();
  await expect(page.getByRole('link', { name: 'Risk' })).toHaveAttribute('aria-current', 'page');
  await page.getByRole('combobox', { name: 'Account or deployment' }).click();
  await page.getByRole('option', { name: 'aditi/Aditi Kotak/straddle' }).click();

  await page.reload();

  await expect(page).toHaveURL(/\/risk\?of=deployment:\d+$/);
  await expect(page.getByRole('combobox', { name: 'Account or deployment' })).toHaveValue(
    'aditi/Aditi Kotak/straddle',
  );
  await expect(page.getByRole('img', { name: /−₹5,112 at the end/ })).toBeVisible();
  await page.goBack();
  await expect(page.getByRole('region', { name: 'Orders' }).first()).toBeVisible();
});

test('an operator reads why a scope is locked, and unlocks what is flat', async ({ page }) => {
  await signIn(page, 'ops', '/risk');
  const falling = locks(page).getByRole('row', { name: /aditi\/Aditi Kotak/ });
  await expect(falling).toContainText('realized −900 + unrealized −4212.5 = −5112.5 <= −5000');
  await expect(falling).toContainText(/not yet flat, for \d+ min/);
  await expect(falling.getByRole('button')).toHaveCount(0);
  await page.getByRole('button', { name: 'Unlock akash/Akash Kotak/straddle' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('textbox', { name: 'Reason' }).fill('the hedge was missing, it is back');
  await dialog.getByRole('button', { name: 'Unlock' }).click();
  await dialog.getByRole('button', { name: 'Close' }).last().click();

  const unlocked = locks(page).getByRole('row', { name: /akash/ });
  await expect(unlocked).toContainText('by ops');
  await expect(unlocked).toContainText('the hedge was missing, it is back');
});

test('a trader sees own locks only and unlocks none', async ({ page }) => {
  await signIn(page, 'aditi', '/risk');

  await expect(locks(page).getByRole('row')).toHaveCount(2);
  await expect(locks(page)).toContainText('only staff unlocks');
  await page.getByRole('radio', { name: 'Everybody' }).locator('..').click();
  await expect(page.getByText('Only staff reads and changes this set.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Change this set…' })).toHaveCount(0);
});

test('limits are saved after a trial, and never over what somebody else has set', async ({
  page,
  request,
}) => {
  await signIn(page, 'ops', '/risk');
  await page.getByRole('button', { name: 'Change this set…' }).click();
  const dialog = page.getByRole('dialog');
  const save = dialog.getByRole('button', { name: /^Save as version/ });
  const lookBack = async () => {
    await dialog.getByRole('textbox', { name: /^Value of an order/ }).fill('10000');
    await dialog.getByRole('button', { name: 'What would this have denied today?' }).click();
    await expect(dialog.getByRole('status')).toContainText("2 of today's 2 entries would have been denied");
  };
  await dialog.getByRole('textbox', { name: 'Reason' }).fill('smaller orders');
  await expect(save).toBeDisabled();
  await lookBack();
  await expect(dialog.getByRole('table')).toContainText('ORDER_NOTIONAL');

  const token = await page.evaluate(() => sessionStorage.getItem('openbell.token'));
  const faster = await request.post('/api/v1/limit-versions', {
    headers: { Authorization: `Bearer ${token ?? ''}` },
    data: {
      scope: 'ACCOUNT',
      target: '1',
      values: { max_daily_loss: '4500', max_drawdown: '4000', max_lots: '1', denied_symbols: ['BANKNIFTY'] },
      expected_version: 2,
      reason: 'a colleague was faster',
    },
  });
  expect(faster.status()).toBe(201);
  await save.click();
  await expect(dialog.getByRole('alert')).toContainText('Version 3 by ops');
  await expect(dialog.getByRole('alert')).toContainText('Daily loss: ₹4,500');
  await dialog.getByRole('button', { name: 'Start again from version 3' }).click();
  await lookBack();
  await save.click();
  await expect(dialog.getByRole('status')).toContainText('Version 4 binds the next order.');
  await dialog.getByRole('button', { name: 'Close' }).last().click();

  const inForce = page.getByRole('table', { name: 'Limits in force' });
  await expect(inForce.getByRole('row', { name: /max_order_notional/ })).toContainText('₹10,000');
  await expect(inForce.getByRole('row', { name: /max_order_notional/ })).toContainText('smaller orders');
  await expect(page.getByRole('table', { name: /Versions of the set/ }).getByRole('row')).toHaveCount(5);
});

test('what a kill switch closes is followed on the page until it is flat', async ({ page }) => {
  await signIn(page, 'zoya', '/risk');
  await page.getByRole('button', { name: 'Kill switch' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('textbox', { name: 'Reason' }).fill('end of the test');
  await dialog.getByRole('textbox', { name: 'Type HALT to confirm' }).fill('HALT');
  await dialog.getByRole('button', { name: 'Halt and flatten' }).click();
  await dialog.getByRole('button', { name: 'Close' }).last().click();

  const halts = page.getByRole('list', { name: 'Last halts' });
  await expect(halts).toContainText('All accounts of zoya halted by zoya');
  await expect(halts.getByRole('row', { name: /zoya\/Zoya Kotak/ })).toContainText(/flat at|not yet:/);
});

for (const [name, width, height, scheme] of [
  ['desktop', 1440, 900, 'light'],
  ['desktop-dark', 1440, 900, 'dark'],
  ['phone', 390, 844, 'light'],
] as const) {
  test(`the page Risk fits a ${name} without sideways scrolling`, async ({ page }, info) => {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme: scheme });
    await signIn(page, 'ops', '/risk');
    await expect(page.getByRole('table', { name: 'Limits in force' })).toBeVisible();
    await expect(page.getByRole('img', { name: /Profit and loss from/ })).toBeVisible();
    await page.screenshot({ path: info.outputPath(`${name}.png`), fullPage: true });
    const isTooWide = () => page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
    expect(await isTooWide()).toBe(false);

    await page.getByRole('button', { name: 'Change this set…' }).click();
    await page.getByRole('button', { name: 'What would this have denied today?' }).click();
    await expect(page.getByRole('dialog').getByRole('status')).toContainText('would have been denied');
    expect(await isTooWide()).toBe(false);
    await page.screenshot({ path: info.outputPath(`${name}-editor.png`) });
  });
}
