/** The counts a scenario is run with: `./dev bench density 1,10,100`. Exits with 2 when they are none. */
export function countsArgument(position: number, standard: readonly number[]): number[] {
  const given = process.argv[2 + position];
  if (given === undefined) return [...standard];
  const counts = given.split(",").map(Number);
  if (counts.every((count) => Number.isInteger(count) && count > 0)) return counts;
  console.error(`${given} is no list of counts such as ${standard.join(",")}`);
  process.exit(2);
}

export function countArgument(position: number, standard: number): number {
  return countsArgument(position, [standard])[0] ?? standard;
}
