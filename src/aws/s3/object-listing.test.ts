import * as fc from "fast-check";
import { expect, test } from "vitest";
import { useStore } from "../../../test/support/api-endpoint.ts";
import type { Store } from "../../store/store.ts";
import { afterPrefix, laterKey } from "./key-range.ts";
import { listObjectsPage } from "./object-listing.ts";

const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
const key = fc.string({
  unit: fc.constantFrom("a", "b", "\0", "/", "-", "\u{ffff}", "\u{d7ff}", "\u{e000}", "\u{10ffff}", "😀", "é"),
  minLength: 1,
  maxLength: 6,
});
const shortText = fc.string({ unit: fc.constantFrom("a", "/", "\u{10ffff}", "é"), maxLength: 2 });

async function fill(store: Store, keys: readonly string[]): Promise<void> {
  await store.db.deleteFrom("s3_objects").execute();
  for (const each of keys) {
    const row = {
      bucket: "b",
      key: each,
      file: "f",
      size: 0,
      etag: "e",
      content_type: null,
      headers_json: "{}",
      modified_at: 0,
    };
    await store.db.insertInto("s3_objects").values(row).execute();
  }
}

/** What a listing is, said the slow way. */
function expected(keys: readonly string[], prefix: string, delimiter: string): string[] {
  const entries = keys
    .filter((each) => each.startsWith(prefix))
    .map((each) => {
      const at = delimiter === "" ? -1 : each.indexOf(delimiter, prefix.length);
      return at === -1 ? `key ${each}` : `prefix ${each.slice(0, at + delimiter.length)}`;
    });
  return [...new Set(entries)].toSorted((a, b) => byBytes(a.slice(a.indexOf(" ")), b.slice(b.indexOf(" "))));
}

test("pages of any size, put together, are every key and common prefix once, in byte order", async () => {
  const store = useStore();
  await store.db.insertInto("s3_buckets").values({ name: "b", account_id: "1", region: "r", created_at: 0 }).execute();
  const keys = fc.uniqueArray(key, { maxLength: 25 });
  await fc.assert(
    fc.asyncProperty(
      keys,
      shortText,
      fc.constantFrom("", "/", "a", "-/", "é"),
      fc.integer({ min: 1, max: 5 }),
      async (...[all, prefix, delimiter, max]) => {
        await fill(store, all);
        const seen: string[] = [];
        let from: string | undefined = "";
        while (from !== undefined) {
          const page = await listObjectsPage(store, { bucket: "b", prefix, delimiter, from, max });
          const entries = [
            ...page.objects.map((each) => `key ${each.key}`),
            ...page.commonPrefixes.map((each) => `prefix ${each}`),
          ];
          expect(entries.length).toBeLessThanOrEqual(max);
          seen.push(...entries.toSorted((a, b) => byBytes(a.slice(a.indexOf(" ")), b.slice(b.indexOf(" ")))));
          from = page.next?.from;
        }
        expect(seen).toEqual(expected(all, prefix, delimiter));
      },
    ),
    { numRuns: 150 },
  );
});

test("afterPrefix is the end of all that begins alike", () => {
  fc.assert(
    fc.property(key, fc.string({ unit: "binary" }), (prefix, rest) => {
      const end = afterPrefix(prefix);
      if (end === undefined) expect(prefix).toMatch(/^\u{10ffff}+$/u);
      else {
        expect(byBytes(prefix + rest.toWellFormed(), end)).toBe(-1);
        expect(end.startsWith(prefix)).toBe(false);
      }
    }),
  );
  expect([afterPrefix("a/"), afterPrefix("a\u{10ffff}"), afterPrefix("\u{d7ff}"), afterPrefix("")]).toEqual([
    "a0",
    "b",
    "\u{e000}",
    undefined,
  ]);
});

test("laterKey goes by bytes, where JavaScript goes by code units", () => {
  expect(laterKey("\u{ffee}", "😀")).toBe("😀");
});
