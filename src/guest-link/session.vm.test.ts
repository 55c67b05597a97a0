import { expect, onTestFinished, test } from "vitest";
import type { GuestLink, GuestSession, SessionEvent, SessionRequest } from "./guest-link.ts";
import { shell, useGuest } from "./use-guest.ts";

async function useApp(more: Parameters<typeof shell>[1] = {}): Promise<GuestLink> {
  const { link } = await useGuest();
  await link.start(shell("exec sleep 1000000", more));
  return link;
}

async function open(link: GuestLink, request: SessionRequest): Promise<GuestSession> {
  const session = await link.session(request);
  if ("refused" in session) throw new Error(JSON.stringify(session));
  onTestFinished(() => void session.destroy());
  return session;
}

interface Heard {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | undefined;
}

async function hear(session: GuestSession): Promise<Heard> {
  const heard = { stdout: "", stderr: "", code: undefined as number | undefined };
  for await (const event of session as AsyncIterable<SessionEvent>) {
    if (event.kind === "exited") heard.code = event.code;
    else heard[event.stream] += event.bytes.toString();
  }
  return heard;
}

async function run(link: GuestLink, script: string, more: Partial<SessionRequest> = {}): Promise<Heard> {
  const session = await open(link, { argv: ["sh", "-c", script], ...more });
  session.end();
  return hear(session);
}

/** What a terminal shows, read piece by piece. */
class Screen {
  readonly #session: GuestSession;
  #shown = "";

  constructor(session: GuestSession) {
    this.#session = session;
  }

  /** Waits for a text; answers everything up to its end, which is not seen again. */
  async sees(wanted: string): Promise<string> {
    if (!this.#shown.includes(wanted)) await this.#readUntil(wanted);
    const end = this.#shown.indexOf(wanted) + wanted.length;
    const seen = this.#shown.slice(0, end);
    this.#shown = this.#shown.slice(end);
    return seen;
  }

  async #readUntil(wanted: string): Promise<void> {
    for await (const event of this.#session.iterator({ destroyOnReturn: false }) as AsyncIterable<SessionEvent>) {
      if (event.kind === "output") this.#shown += event.bytes.toString();
      if (this.#shown.includes(wanted)) return;
    }
    throw new Error(`ended before ${JSON.stringify(wanted)}: ${JSON.stringify(this.#shown)}`);
  }
}

function until(session: GuestSession, wanted: string): Promise<string> {
  return new Screen(session).sees(wanted);
}

const TERMINAL = { columns: 0, rows: 0 };

test("a command runs in the app's container with its environment, directory, user and rights", async () => {
  const link = await useApp({ env: { GREETING: "a b", KEPT: "1" }, workingDir: "/srv/app" });
  const { stdout, stderr, code } = await run(
    link,
    `pwd; echo $GREETING $KEPT $PATH; id; grep -E "^(CapEff|NoNewPrivs|Seccomp):" /proc/self/status | tr "\\t" " "; ulimit -n; hostname
    cat /proc/self/cgroup; tr "\\0" " " </proc/1/cmdline; echo; ls /proc/self/fd | wc -l; cat; echo heard >&2; exit 7`,
    { env: { GREETING: "changed" } },
  );
  expect(stdout.split("\n").slice(0, 11)).toEqual([
    "/srv/app",
    "changed 1 /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "uid=0(root) gid=0(root)",
    "CapEff: 00000000a80425fb",
    "NoNewPrivs: 1",
    "Seccomp: 0",
    "1024",
    "localhost",
    "0::/system.slice/app",
    "sleep 1000000 ",
    "4",
  ]);
  expect({ stderr, code }).toEqual({ stderr: "heard\n", code: 7 });
  const other = await run(link, "id; pwd; kill -9 $$", { user: "app", workingDir: "/tmp" });
  expect(other).toEqual({ stdout: "uid=1000(app) gid=1001(app) groups=2000(extra)\n/tmp\n", stderr: "", code: 137 });
});

test("input and output of any size pass, in order and with back-pressure", async () => {
  const link = await useApp();
  const session = await open(link, { argv: ["cat"] });
  const text = Buffer.from("0123456789abcdefg".repeat(500_000));
  session.end(text);
  const heard = await hear(session);
  expect(heard.stdout === text.toString()).toBe(true);
  expect(heard.code).toBe(0);
  // A program that reads nothing and one that is not read hold up nobody else.
  const deaf = await open(link, { argv: ["sleep", "100000"] });
  deaf.write(Buffer.alloc(4_000_000));
  const unread = await open(link, { argv: ["cat", "/dev/zero"] });
  await expect(run(link, "echo fine")).resolves.toMatchObject({ stdout: "fine\n", code: 0 });
  deaf.destroy();
  unread.destroy();
});

test("a terminal echoes, resizes and says how the shell ended", async () => {
  const link = await useApp();
  const session = await open(link, { argv: ["sh"], env: { TERM: "xterm", PS1: "> " }, terminal: TERMINAL });
  const screen = new Screen(session);
  await screen.sees("> ");
  session.write("tty; echo $((6*7))\n");
  expect(await screen.sees("42\r\n")).toMatch(/tty; echo.*\r\n\/dev\/pts\/0\r\n42/);
  await screen.sees("> ");
  session.resize({ columns: 132, rows: 43 });
  session.write("stty size\n");
  await screen.sees("43 132\r\n> ");
  session.write("sleep 100000\n");
  await screen.sees("sleep 100000\r\n");
  // The terminal echoes before the shell has started the program; an interrupt in between reaches nobody.
  const interrupt = setInterval(() => session.write("\x03"), 200);
  onTestFinished(() => clearInterval(interrupt));
  await screen.sees("> ");
  clearInterval(interrupt);
  session.write("exit 5\n");
  expect((await hear(session)).code).toBe(5);
});

test("sessions are apart, and one that is left is hung up", async () => {
  const link = await useApp();
  const [one, two] = await Promise.all(
    [1, 2].map((number) => open(link, { argv: ["sh"], env: { PS1: `${number}> ` }, terminal: TERMINAL })),
  );
  if (one === undefined || two === undefined) throw new Error("no sessions");
  await Promise.all([until(one, "1> "), until(two, "2> ")]);
  one.write("tty; sleep 4321 &\n");
  two.write("tty\n");
  const terminals = await Promise.all([until(one, "/dev/pts/"), until(two, "/dev/pts/")]);
  expect(terminals[0]).not.toBe(terminals[1]);
  const command = await open(link, { argv: ["sh", "-c", "trap '' HUP; echo up; sleep 1234"] });
  await until(command, "up");
  one.destroy();
  command.destroy();
  const left = await run(link, "while ps | grep -q -e '[s]leep 1234' -e '[s]leep 4321'; do :; done; echo gone");
  expect(left.stdout).toBe("gone\n");
  two.write("echo still; exit\n");
  expect((await hear(two)).stdout).toContain("still");
});

test("a wake ends the sessions of before, and new ones start", async () => {
  const link = await useApp();
  const old = await open(link, { argv: ["sleep", "5555"] });
  await link.wake({ wallClock: new Date(), entropy: crypto.getRandomValues(new Uint8Array(64)) });
  expect((await hear(old)).code).toBeUndefined();
  const left = await run(link, "while ps | grep -q '[s]leep 5555'; do :; done; echo gone");
  expect(left.stdout).toBe("gone\n");
});

test("programs that are not there, broken requests and too many sessions are refused by name", async () => {
  const link = await useApp();
  await expect(link.session({ argv: ["bash"], terminal: TERMINAL })).resolves.toEqual({
    refused: "not-started",
    code: 127,
    reason: 'exec: "bash": executable file not found in $PATH',
  });
  await expect(link.session({ argv: ["/etc/passwd"] })).resolves.toMatchObject({ refused: "not-started", code: 126 });
  await expect(link.session({ argv: ["id"], user: "nobody-here" })).resolves.toMatchObject({ code: 125 });
  await expect(link.session({ argv: ["id"], workingDir: "here" })).resolves.toEqual({
    refused: "agent-refused",
    reason: "the working directory is not absolute",
  });
  const many: Awaited<ReturnType<typeof open>>[] = [];
  onTestFinished(() => many.forEach((session) => session.destroy()));
  for (let count = 0; count < 32; count++) many.push(await open(link, { argv: ["sleep", "100000"] }));
  await expect(link.session({ argv: ["sleep", "100000"] })).resolves.toEqual({
    refused: "agent-refused",
    reason: "too many sessions",
  });
});

test("the agent's busybox serves an image without tools, and its file cannot be changed", async () => {
  const link = await useApp();
  const program = { isBusybox: true, env: { PATH: "/nowhere" } };
  const heard = await run(
    link,
    "ls / | tr '\\n' ' '; head -c 3 /proc/$$/exe | tr -d '\\177'; echo x >> /proc/$$/exe",
    program,
  );
  expect(heard.stdout).toMatch(/\bbin\b.*ELF?/);
  expect(heard.stderr).toMatch(/Read-only file system|Text file busy/);
});

test("no session starts before the app or after it", async () => {
  const { link } = await useGuest();
  const refused = { refused: "agent-refused", reason: "the app does not run" };
  await expect(link.session({ argv: ["id"] })).resolves.toEqual(refused);
  await link.start(shell("read line <>/dev/zero; exec sleep 1000000"));
  const session = await open(link, { argv: ["sleep", "100000"] });
  await link.stop(0);
  expect((await hear(session)).code).toBe(137);
  await expect(link.session({ argv: ["id"] })).resolves.toEqual(refused);
});
