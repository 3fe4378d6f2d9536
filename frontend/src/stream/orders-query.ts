/** Fetch all of the day's orders, page by page; the stream then keeps them fresh. */
import { queryOptions } from '@tanstack/react-query';

import { listOrders, type Order, type PageOrder } from '../client';

export const ordersKey = ['orders', 'today'];
const PAGE = 1000;

export const ordersOptions = queryOptions({
  queryKey: ordersKey,
  queryFn: async ({ signal }): Promise<Order[]> => {
    const orders: Order[] = [];
    let cursor: number | null = null;
    do {
      const reply = await listOrders({ query: { limit: PAGE, cursor }, signal, throwOnError: true });
      const page: PageOrder = reply.data;
      orders.push(...page.items);
      cursor = page.next_cursor;
    } while (cursor !== null);
    return orders;
  },
});
