import { join } from "node:path";
import { Duplex } from "node:stream";
import { expect, onTestFinished, test } from "vitest";
import { runCommand } from "../util/run-command.ts";
import { ask } from "./control.ts";
import { eventsUntilExit, REMOTE_SHELL, runInside, say, shell, untilListening, useGuest } from "./use-guest.ts";

const outputOf = (events: Awaited<ReturnType<typeof eventsUntilExit>>) =>
  events.map((event) => (event.kind === "output" ? event.bytes.toString() : "")).join("");

test("the agent's parsers stand random bytes under the sanitizers", async () => {
  const { stdout } = await runCommand(join(import.meta.dirname, "../../guest/agent/test/run.sh"), ["3"]);
  expect(stdout).toMatch(/\d+ rounds/);
});

test("the app runs as process 1 of a default container", async () => {
  const { link } = await useGuest();
  await link.start(shell(REMOTE_SHELL, { env: { GREETING: "a b" }, workingDir: "/srv/deep/app" }));
  await untilListening(link, 8080);
  const facts = await runInside(
    link,
    `
    grep -E "^(NSpid|CapEff|CapBnd|NoNewPrivs):" /proc/1/status | tr "\\t" " "; pwd; env; ulimit -Hn; ulimit -Sn; id; hostname; umask
    cat /etc/resolv.conf; cat /proc/1/cgroup; readlink /proc/1/fd/0; df -k /dev/shm | tail -1 | awk '{ print "shm", $2 }'
    ls /proc | grep -c "^[0-9]*$"; touch /sys/x; echo 1 > /proc/sys/vm/drop_caches; mount -t tmpfs x /tmp; ls -d /sys/fs/cgroup/* /dev/fuse`,
  );
  for (const line of [
    "NSpid: 1",
    "CapEff: 00000000a80425fb",
    "CapBnd: 00000000a80425fb",
    "NoNewPrivs: 1",
    "/srv/deep/app",
    "GREETING=a b",
    "HOME=/root",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "1024",
    "uid=0(root) gid=0(root)",
    "localhost",
    "0022",
    "nameserver 169.254.169.253",
    "0::/system.slice/app",
    "/dev/null",
    "shm 65536",
    "touch: /sys/x: Read-only file system",
  ])
    expect(facts.split("\n")).toContain(line);
  expect(facts).toMatch(/drop_caches: Read-only file system/);
  expect(facts).toMatch(/mount: .*(permission denied|not permitted)/i);
  expect(facts).toMatch(/\/dev\/fuse: No such file/);
  await expect(link.status()).resolves.toMatchObject({ app: "running" });
});

test("a named user has its groups and home, and can write to /dev/stderr", async () => {
  const { link } = await useGuest();
  await link.start(
    shell(
      "id; echo $HOME; echo heard >/dev/stderr; grep CapEff /proc/self/status; ls -ld /work | cut -c1-10; exit 300",
      { user: "app", workingDir: "/work" },
    ),
  );
  const events = await eventsUntilExit(link);
  const text = outputOf(events);
  expect(text).toContain("uid=1000(app) gid=1001(app) groups=2000(extra)\n/home/app\n");
  expect(text).toContain("CapEff:\t0000000000000000\n");
  expect(events.find((event) => event.kind === "output" && event.stream === "stderr")).toMatchObject({
    bytes: Buffer.from("heard\n"),
  });
  expect(events.at(-1)).toEqual({ kind: "exited", code: 300 % 256 });
});

test("all capabilities come with fuse and a writable cgroup tree", async () => {
  const { link } = await useGuest();
  await link.start(
    shell(
      "grep CapEff /proc/self/status; mkdir /sys/fs/cgroup/mine && echo made; head -c 0 /dev/fuse && echo fuse; mount -t tmpfs x /tmp && echo mounted",
      { allCapabilities: true },
    ),
  );
  const text = outputOf(await eventsUntilExit(link));
  expect(text).toMatch(/CapEff:\t000001ffffffffff\n/);
  expect(text).toContain("made\n");
  expect(text).toContain("fuse\n");
  expect(text).toContain("mounted\n");
});

test("a container gets a name and a machine id of its own while its app stands still", async () => {
  const { link } = await useGuest();
  const identity = { hostname: "microvm-2", machineId: "0123456789abcdef0123456789abcdef" };
  await expect(link.identify(identity)).rejects.toThrow("No such process");
  await link.start(shell(REMOTE_SHELL));
  await untilListening(link, 8080);
  expect(await link.settle()).toEqual({ isFrozen: true });
  await expect(link.identify({ ...identity, hostname: "two words" })).rejects.toThrow();
  await link.identify(identity);
  await link.wake({ wallClock: new Date(), entropy: crypto.getRandomValues(new Uint8Array(64)) });
  const facts = await runInside(link, "hostname; cat /etc/hostname /etc/machine-id /etc/hosts");
  expect(facts.split("\n")).toEqual([
    ...["microvm-2", "microvm-2", "0123456789abcdef0123456789abcdef"],
    ...["127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback", "127.0.1.1\tmicrovm-2", ""],
  ]);
});

test("relays reach loopback listeners of both families and nothing reaches the agent from inside", async () => {
  const { link, address } = await useGuest();
  await link.start(
    shell(`httpd -p [::1]:8081 -h /etc; httpd -p 127.0.0.1:8083 -h /etc; nc -ll -p 8082 -e cat & ${REMOTE_SHELL}`),
  );
  for (const port of [8080, 8081, 8082, 8083]) await untilListening(link, port);
  await expect(link.listeningPorts([80, 8080, 8081, 8082, 8083, 1018])).resolves.toEqual([8080, 8081, 8082, 8083]);
  await expect(link.relay(80)).resolves.toEqual({ refused: "port-closed" });
  for (const port of [8081, 8083])
    expect(await say(await link.relay(port), "GET /hostname HTTP/1.0\r\n\r\n")).toMatch(/200 OK[^]*localhost\n$/);
  const long = "0123456789abcdefg".repeat(500_000);
  expect((await say(await link.relay(8082), long)) === long).toBe(true);
  const inside = await runInside(
    link,
    `echo status | nc -w 3 ${address.host} 1018; echo status | nc -w 3 172.16.0.2 1018; echo done`,
  );
  expect(inside).not.toContain("ok");
  expect(inside).toContain("done");
  expect(await link.busyMs()).toBeGreaterThan(0);
  await expect(ask(address, { line: "nonsense", patience: { timeoutMs: 5000 } })).rejects.toMatchObject({
    message: "not a request",
  });
});

test("waking sets the clock, resets outside connections and spares loopback", async () => {
  const { link, namespace } = await useGuest();
  const outside = new AbortController();
  await runCommand("nsenter", [
    `--net=/run/netns/${namespace}`,
    "nft",
    "insert",
    "rule",
    "ip",
    "catnap",
    "input",
    "tcp",
    "dport",
    "9999",
    "accept",
  ]);
  const server = runCommand(
    "nsenter",
    [`--net=/run/netns/${namespace}`, "busybox", "nc", "-ll", "-p", "9999", "-e", "cat"],
    { signal: outside.signal },
  ).catch(() => {});
  onTestFinished(async () => {
    outside.abort();
    await server;
  });
  await link.start(
    shell(`
    mkfifo /tmp/near /tmp/far; nc -ll -p 7000 -e cat & until nc 127.0.0.1 7000 </dev/null; do :; done
    nc 127.0.0.1 7000 </tmp/near >/tmp/near.out & nc 172.16.0.1 9999 </tmp/far >/tmp/far.out & echo $! >/tmp/far.pid
    exec 3>/tmp/near 4>/tmp/far; echo before >&3; echo before >&4; ${REMOTE_SHELL}`),
  );
  await untilListening(link, 8080);
  await runInside(
    link,
    "while ! grep -q before /tmp/far.out /tmp/near.out; do :; done; while ! grep -q before /tmp/far.out; do :; done",
  );
  const old = await link.relay(8080);
  if (!(old instanceof Duplex)) throw new Error("no relay");
  const oldEnded = new Promise((resolve) => old.on("error", resolve).on("close", resolve).resume());
  await link.wake({ wallClock: new Date("2031-05-06T07:08:09Z"), entropy: crypto.getRandomValues(new Uint8Array(64)) });
  await oldEnded;
  const after = await runInside(
    link,
    `
    while kill -0 $(cat /tmp/far.pid) 2>/dev/null; do :; done; echo far ended
    echo after >/proc/1/fd/3; while ! grep -q after /tmp/near.out; do :; done; echo near lives; date +%F_%T`,
  );
  expect(after).toContain("far ended\nnear lives\n2031-05-06_07:08:");
});

test("a settled app stands still through a rehearsal, and goes on when its guest is woken", async () => {
  const { link } = await useGuest();
  const moment = () => ({ wallClock: new Date(), entropy: crypto.getRandomValues(new Uint8Array(64)) });
  await link.start(shell("while :; do echo tick; usleep 1000; done"));
  await expect(link.rehearse(moment())).rejects.toMatchObject({ message: "the app is not frozen" });
  let read = 0;
  const hears = async (signal: AbortSignal): Promise<boolean> => {
    for await (const event of link.events(read, signal)) {
      if (event.kind !== "output") continue;
      read = event.offset + event.bytes.length;
      return true;
    }
    return false;
  };
  expect(await hears(AbortSignal.timeout(60_000))).toBe(true);
  await expect(link.settle()).resolves.toEqual({ isFrozen: true });
  while (await hears(AbortSignal.timeout(300))); // what it said before
  await link.rehearse(moment());
  expect(await hears(AbortSignal.timeout(300))).toBe(false);
  await link.wake(moment());
  expect(await hears(AbortSignal.timeout(60_000))).toBe(true);
});

test("output beyond the ring is dropped and counted, and the app does not wait for a reader", async () => {
  const { link } = await useGuest();
  await link.start(shell("head -c 3000000 /dev/zero; echo told >&2; exit 7"));
  const deadline = Date.now() + 60_000;
  while ((await link.status()).app !== "exited" && Date.now() < deadline);
  const events = await eventsUntilExit(link);
  const [dropped] = events;
  expect(dropped).toEqual({ kind: "dropped", bytes: 3_000_005 - 1024 * 1024 });
  let next = 3_000_005 - 1024 * 1024;
  for (const event of events) {
    if (event.kind !== "output") continue;
    expect(event.offset).toBe(next);
    next += event.bytes.length;
  }
  expect(next).toBe(3_000_005);
  expect(outputOf(events)).toMatch(/told\n$/);
  expect(events.at(-1)).toEqual({ kind: "exited", code: 7 });
  const late = [];
  for await (const event of link.events(3_000_000, AbortSignal.timeout(60_000))) if (late.push(event) === 2) break;
  expect(late).toEqual([
    { kind: "output", offset: 3_000_000, stream: "stderr", bytes: Buffer.from("told\n") },
    { kind: "exited", code: 7 },
  ]);
});

test("a program that is not there is named in the refusal and in the output", async () => {
  const { link } = await useGuest();
  const reason = 'exec: "gunicorn": executable file not found in $PATH';
  await expect(link.start(shell("", { argv: ["gunicorn", "app:app"] }))).rejects.toMatchObject({
    code: "ERR_GUEST_REFUSED",
    message: reason,
  });
  await expect(link.status()).resolves.toEqual({ app: "exited", code: 127 });
  expect(outputOf(await eventsUntilExit(link))).toBe(`${reason}\n`);
  await expect(link.start(shell("true"))).rejects.toMatchObject({ message: "the app was started before" });
});

test("an orderly stop lets the app finish; a power-off ends the machine", async () => {
  const { link, address, ended } = await useGuest();
  await link.start(shell("trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 1 & wait $!; done"));
  for await (const event of link.events(0, AbortSignal.timeout(60_000))) if (event.kind === "output") break;
  await link.settle();
  await link.stop(30_000);
  const events = await eventsUntilExit(link);
  expect(outputOf(events)).toBe("up\nbye\n");
  expect(events.at(-1)).toEqual({ kind: "exited", code: 3 });
  await ask(address, { line: "poweroff", patience: { timeoutMs: 5000 } });
  await ended;
});

test("an app that ignores its stop signal is killed after the grace period", async () => {
  const { link } = await useGuest();
  await link.start(shell("trap '' TERM; echo up; while :; do sleep 1; done"));
  for await (const event of link.events(0, AbortSignal.timeout(60_000))) if (event.kind === "output") break;
  await link.stop(300);
  await expect(link.status()).resolves.toEqual({ app: "exited", code: 137 });
  await expect(link.stop(0)).resolves.toBeUndefined();
});
