/** Whoever has something to do with what has come. */
export interface TurnTaker {
  onTurn(): void;
}

let waiting: TurnTaker[] = [];

/**
 * Calls it once everything that has come by now is read. To read, to decide and to write in turns of their own, for all
 * connections that are ready, costs a processor far less than to do all three for one connection after the other: the code
 * of each stays in its caches.
 */
export function waitForTurn(taker: TurnTaker): void {
  waiting.push(taker);
  if (waiting.length === 1) setImmediate(takeTurns);
}

function takeTurns(): void {
  const takers = waiting;
  waiting = [];
  for (const taker of takers) taker.onTurn();
}
