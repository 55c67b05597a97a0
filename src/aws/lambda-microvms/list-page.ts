import { readPageToken, writePageToken, type PageScope } from "../page-token.ts";
import { validation } from "./faults.ts";

/** The service does not say its own (contract 19); this is the most it allows. */
const DEFAULT_PAGE_SIZE = 50;

interface PageInput {
  readonly maxResults?: number;
  readonly nextToken?: string;
}

interface ListPage<T> {
  readonly items: T[];
  readonly nextToken?: string;
}

/**
 * One page: `fetch` reads what comes after a position, one row more than asked for. Filters are applied by the caller
 * to the page afterwards, as the service does, so that a page may be empty and still have a next one (contract 2.1).
 */
export async function listPage<T>(
  input: PageInput,
  scope: PageScope,
  fetch: (page: { after?: string; limit: number }) => Promise<T[]>,
  positionOf: (item: T) => string,
): Promise<ListPage<T>> {
  const size = input.maxResults ?? DEFAULT_PAGE_SIZE;
  const after = input.nextToken === undefined ? undefined : readPageToken(scope, input.nextToken);
  if (input.nextToken !== undefined && after === undefined) throw invalidToken();
  const rows = await fetch({ after, limit: size + 1 });
  const items = rows.slice(0, size);
  const last = items.at(-1);
  if (rows.length <= size || last === undefined) return { items };
  return { items, nextToken: writePageToken(scope, positionOf(last)) };
}

/** For positions that are numbers on the wire of the token. */
export function numericPosition(position: string | undefined): number | undefined {
  if (position === undefined) return undefined;
  if (!/^\d{1,15}$/.test(position)) throw invalidToken();
  return Number(position);
}

function invalidToken() {
  return validation("Invalid nextToken: it was not given out for this list");
}
