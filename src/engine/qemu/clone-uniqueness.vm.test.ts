import { join } from "node:path";
import { text } from "node:stream/consumers";
import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { useTinyGuest } from "../../../test/support/tiny-guest.ts";
import { bootTiny } from "../../../test/support/tiny-template.ts";
import type { GuestLink, SessionEvent } from "../../guest-link/guest-link.ts";

/** What a shell line in the container prints. */
async function inside(link: GuestLink, line: string): Promise<string> {
  const session = await link.session({ argv: ["/bin/busybox", "sh", "-c", line], env: { PATH: "/bin" } });
  if ("refused" in session) throw new Error(JSON.stringify(session));
  session.end();
  const output = (async function* () {
    for await (const event of session as AsyncIterable<SessionEvent>) if (event.kind === "output") yield event.bytes;
  })();
  return text(Readable.from(output));
}

/** The app's output from an offset on: until it has been quiet for a while, or there are so many lines. */
async function hear(
  link: GuestLink,
  { from, lines = Infinity, quietMs = 60_000 }: { from: number; lines?: number; quietMs?: number },
) {
  let heard = "";
  let offset = from;
  for (let isOver = false; !isOver;) {
    isOver = true;
    for await (const event of link.events(offset, AbortSignal.timeout(quietMs))) {
      if (event.kind !== "output") continue;
      heard += event.bytes.toString();
      offset = event.offset + event.bytes.length;
      isOver = heard.split("\n").length > lines;
      break;
    }
  }
  return { offset, lines: heard.trim().split("\n") };
}

const RANDOM = [
  "busybox head -c 32 /dev/urandom | busybox md5sum",
  "busybox cat /proc/sys/kernel/random/uuid",
  "busybox mktemp -u", // getrandom(2)
];

test("clones share what was drawn before the snapshot and nothing that is drawn after", async () => {
  const tiny = await useTinyGuest();
  let snapshotAt = 0;
  const template = await bootTiny(tiny, {
    beforeSettling: async (link) => {
      await inside(link, "busybox cat /proc/sys/kernel/random/uuid >/dev/shm/cached");
      // A program of the app that draws all the time: no draw may come between the restore and the fresh randomness.
      const draw = "while :; do busybox cat /proc/sys/kernel/random/uuid; done >/proc/1/fd/1 2>/dev/null </dev/null";
      await inside(link, `busybox setsid busybox sh -c '${draw}' >/dev/null 2>&1 & busybox usleep 200000`);
      await hear(link, { from: 0, lines: 3 });
    },
    afterSettling: async (link) => {
      ({ offset: snapshotAt } = await hear(link, { from: 0, quietMs: 500 }));
    },
  });
  const clone = async (name: string) => {
    const { network, link } = await tiny.slot();
    const directory = join(tiny.home, name);
    await tiny.engine.restore({ directory, template, rootfs: tiny.rootfs, network });
    await link.wake({ wallClock: new Date(), entropy: crypto.getRandomValues(new Uint8Array(64)) });
    const { lines } = await hear(link, { from: snapshotAt, lines: 10 });
    const drawn = await Promise.all(RANDOM.map((line) => inside(link, line)));
    return { cached: await inside(link, "busybox cat /dev/shm/cached"), lines, drawn };
  };
  const [one, two] = await Promise.all([clone("one"), clone("two")]);
  expect(one.cached).toMatch(/^[0-9a-f-]{36}\n$/);
  expect(two.cached).toBe(one.cached);
  expect(one.lines.filter((line) => two.lines.includes(line))).toEqual([]);
  for (const [index, value] of one.drawn.entries()) {
    expect(value).toMatch(/\S/);
    expect(two.drawn[index]).not.toBe(value);
  }
});
