import { expect, test } from '@playwright/test';

import { signIn } from './sign-in';

for (const [name, width, height] of [
  ['desktop', 1440, 900],
  ['phone', 390, 844],
] as const) {
  test(`the evidence about an unknown order fits a ${name}`, async ({ page }, info) => {
    await page.setViewportSize({ width, height });
    await signIn(page);
    const panel = page.getByRole('region', { name: 'Unknown outcomes' });
    await panel.getByRole('button', { name: /Evidence about Isha Kotak/ }).click();

    const evidence = panel.getByRole('list', { name: /Evidence about order/ });
    await expect(evidence).toContainText('no answer within 5 s');
    await expect(evidence).toContainText("No order in the broker's book carries its tag.");
    await expect(panel).toContainText('₹9,645 at stake');
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);
    await panel.screenshot({ path: info.outputPath(`${name}.png`) });
    await page.screenshot({ path: info.outputPath(`${name}-page.png`), fullPage: true });
  });
}

test('a trader sees the own unknown order and cannot settle it', async ({ page }) => {
  await signIn(page, 'isha');

  const panel = page.getByRole('region', { name: 'Unknown outcomes' });
  await expect(panel.getByRole('listitem')).toHaveCount(1);
  await expect(panel).toContainText('Isha Kotak');
  await expect(panel.getByRole('button', { name: /Resolve/ })).toHaveCount(0);
});

test('an operator settles an unknown order, against the evidence only after a second confirmation', async ({
  page,
}, info) => {
  await signIn(page);
  await page.getByRole('button', { name: /Resolve Harsh Kotak/ }).click();
  const dialog = page.getByRole('dialog');
  const button = dialog.getByRole('button', { name: 'Settle as not placed' });
  await expect(button).toBeDisabled();
  await dialog.getByRole('textbox', { name: 'Reason' }).fill('the dealer sees nothing of it');
  await button.click();

  await expect(dialog.getByRole('alert')).toContainText('the books show 261120000777');
  await expect(button).toBeDisabled();
  await page.screenshot({ path: info.outputPath('dialog.png') });
  await dialog.getByRole('checkbox', { name: /overrule the evidence/ }).check();
  await button.click();

  await expect(dialog.getByRole('status')).toContainText('REJECTED');
  await dialog.getByRole('button', { name: 'Close' }).last().click();
  await expect(page.getByRole('region', { name: 'Unknown outcomes' })).not.toContainText('Harsh Kotak');
});
