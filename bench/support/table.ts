type Row = Readonly<{ [field: string]: unknown }>;

const text = (row: Row, column: string): string => {
  const value = row[column];
  if (column.endsWith('Rss') && typeof value === 'number') return `${Math.round(value / 1e6)} MB`;
  return Array.isArray(value) ? value.join('–') : String(value ?? '');
};

/** These columns of the lines of a benchmark, for people; bytes of memory in megabytes. */
export function table(columns: readonly string[], rows: readonly Row[]): string {
  const lines = [columns, ...rows.map((row) => columns.map((column) => text(row, column)))];
  const widths = columns.map((_, i) => Math.max(...lines.map((cells) => (cells[i] as string).length)));
  return lines
    .map((cells) =>
      cells
        .map((cell, i) => cell.padEnd(widths[i] as number))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
