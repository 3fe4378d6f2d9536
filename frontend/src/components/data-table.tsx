/** Show many rows: only those in view are in the document. Plain cells, tabular numerals, 28 px rows. */
import { useVirtualizer } from '@tanstack/react-virtual';
import { type ReactNode, useRef } from 'react';

export interface Column<Row> {
  key: string;
  title: string;
  render: (row: Row) => ReactNode;
  isNumber?: boolean;
  /** Left out on narrow screens. */
  isExtra?: boolean;
  /** Takes the room that is left and cuts what does not fit. */
  isFlexible?: boolean;
  width?: number;
}

interface DataTableProps<Row> {
  label: string;
  rows: Row[];
  columns: Column<Row>[];
  rowKey: (row: Row) => string | number;
  empty: string;
  maxHeight?: number;
}

const ROW_PX = 28;

export function DataTable<Row>({
  label,
  rows,
  columns,
  rowKey,
  empty,
  maxHeight = 420,
}: DataTableProps<Row>) {
  const scroller = useRef<HTMLDivElement>(null);
  // eslint-disable-next-line react-hooks/incompatible-library -- the compiler is not used here
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 8,
    initialRect: { width: 0, height: maxHeight },
  });
  if (rows.length === 0) return <p className="empty">{empty}</p>;
  const items = virtual.getVirtualItems();
  const above = items[0]?.start ?? 0;
  const below = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  return (
    <div
      className="table-scroll"
      ref={scroller}
      style={{ maxHeight }}
      tabIndex={0}
      role="region"
      aria-label={label}
    >
      <table className="table" aria-rowcount={rows.length + 1}>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.key} scope="col" className={cellClass(column)} style={{ width: column.width }}>
                {column.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {above > 0 && <Spacer height={above} span={columns.length} />}
          {items.map((item) => {
            const row = rows[item.index];
            if (row === undefined) return null;
            return (
              <tr key={rowKey(row)} aria-rowindex={item.index + 2}>
                {columns.map((column) => (
                  <td key={column.key} className={cellClass(column)}>
                    {column.render(row)}
                  </td>
                ))}
              </tr>
            );
          })}
          {below > 0 && <Spacer height={below} span={columns.length} />}
        </tbody>
      </table>
    </div>
  );
}

function Spacer({ height, span }: { height: number; span: number }) {
  return (
    <tr aria-hidden="true">
      <td colSpan={span} style={{ height, padding: 0, border: 0 }} />
    </tr>
  );
}

function cellClass<Row>({ isNumber, isExtra, isFlexible }: Column<Row>): string {
  const names = [
    isNumber === true && 'num right',
    isExtra === true && 'wide-only',
    isFlexible === true && 'flexible',
  ];
  return names.filter((name) => name !== false).join(' ');
}
