/** Show few rows with much text in each: a table, and on narrow screens a list of named values per row. */
import type { ReactNode } from 'react';

export interface Field<Row> {
  key: string;
  title: string;
  render: (row: Row) => ReactNode;
  isNumber?: boolean;
}

interface RecordsProps<Row> {
  label: string;
  rows: Row[];
  fields: Field<Row>[];
  rowKey: (row: Row) => string | number;
  /** Scrolls inside when it would be higher. */
  maxHeight?: number;
}

// The roles are written down because a table whose display is changed by CSS loses them.
export function Records<Row>({ label, rows, fields, rowKey, maxHeight }: RecordsProps<Row>) {
  const table = (
    <table className="records" role="table" aria-label={label}>
      <thead role="rowgroup">
        <tr role="row">
          {fields.map((field) => (
            <th key={field.key} scope="col" role="columnheader" className={alignment(field)}>
              {field.title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((row) => (
          <tr key={rowKey(row)} role="row">
            {fields.map((field) => (
              <td key={field.key} role="cell" data-label={field.title} className={alignment(field)}>
                <div>{field.render(row)}</div>
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
  if (maxHeight === undefined) return table;
  return (
    <div className="records-scroll" style={{ maxHeight }} tabIndex={0} role="region" aria-label={label}>
      {table}
    </div>
  );
}

function alignment<Row>({ isNumber }: Field<Row>): string | undefined {
  return isNumber === true ? 'num right' : undefined;
}
