/** Prints a table in markdown on stdout. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  console.log([row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n'));
}
