import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { createWriteStream } from "node:fs";
import { lstat, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { expect, onTestFinished, test } from "vitest";
import { ZipFile } from "yazl";
import { requireDockerfile, unpackArchive } from "./unpack-archive.ts";

async function useFolder() {
  const folder = await mkdtemp(join(tmpdir(), "catnap-zip-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const tree = join(folder, "tree");
  await mkdir(tree);
  const archive = join(folder, "a.zip");
  return { archive, tree, unpack: () => unpackArchive(archive, tree) };
}

interface Item {
  readonly name: string;
  readonly text: string;
  readonly mode?: number;
}

async function writeZip(file: string, items: readonly Item[]): Promise<void> {
  const zip = new ZipFile();
  for (const { name, text, mode = 0o100644 } of items) zip.addBuffer(Buffer.from(text), name, { mode });
  zip.end();
  await pipeline(zip.outputStream, createWriteStream(file));
}

/** The library that writes zips refuses bad names, so they are put in afterwards, at equal length. */
async function rename(file: string, from: string, to: string): Promise<void> {
  const bytes = await readFile(file);
  for (let at = bytes.indexOf(from); at !== -1; at = bytes.indexOf(from, at + 1)) bytes.write(to, at, "latin1");
  await writeFile(file, bytes);
}

test("files, folders and links inside are unpacked with their permissions", async () => {
  const { archive, tree, unpack } = await useFolder();
  await writeZip(archive, [
    { name: "Dockerfile", text: "FROM scratch" },
    { name: "bin/run", text: "#!/bin/sh", mode: 0o100755 },
    { name: "link", text: "bin/run", mode: 0o120777 },
  ]);
  await unpack();
  expect(await readFile(join(tree, "Dockerfile"), "utf8")).toBe("FROM scratch");
  expect((await lstat(join(tree, "bin/run"))).mode & 0o777).toBe(0o755);
  expect((await lstat(join(tree, "link"))).isSymbolicLink()).toBe(true);
  await requireDockerfile(tree);
});

test.each([
  ["aa/evil", "../evil"],
  ["aetc/xx", "/etc/xx"],
  ["aabbbb", "aa\\bbb"],
])("an entry renamed %s → %s is refused and writes nothing", async (from, to) => {
  const { archive, tree, unpack } = await useFolder();
  await writeZip(archive, [{ name: from, text: "x" }]);
  await rename(archive, from, to);
  await expect(unpack()).rejects.toMatchObject({ failureCode: "ARCHIVE_INVALID" });
  await expect(lstat(join(tree, "../evil"))).rejects.toThrow();
});

test("a link that leads out is refused", async () => {
  const { archive, unpack } = await useFolder();
  await writeZip(archive, [{ name: "out", text: "../../etc", mode: 0o120777 }]);
  await expect(unpack()).rejects.toThrow(/leads out/);
});

test("links that lead out only together are refused", async () => {
  const { archive, unpack } = await useFolder();
  await writeZip(archive, [
    { name: "d/up", text: "..", mode: 0o120777 },
    { name: "out", text: "d/up/../../etc", mode: 0o120777 },
  ]);
  await expect(unpack()).rejects.toThrow(/leads out/);
});

test("a link placed through a link is refused", async () => {
  const { archive, unpack } = await useFolder();
  await writeZip(archive, [
    { name: "here", text: ".", mode: 0o120777 },
    { name: "here/out", text: "../etc", mode: 0o120777 },
  ]);
  await expect(unpack()).rejects.toThrow(/behind a symbolic link/);
});

/** The property behind the rules above: whatever links an archive holds, following any of them ends inside. */
test("no accepted set of links leads out", async () => {
  const part = fc.constantFrom("..", ".", "a", "b");
  const link = fc.record({
    name: fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 3 }),
    target: fc.array(part, { minLength: 1, maxLength: 5 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(link, { minLength: 1, maxLength: 5, selector: ({ name }) => name.join("/") }),
      async (links) => {
        const folder = await mkdtemp(join(tmpdir(), "catnap-links-"));
        const tree = join(folder, "one/two/three/four/five/tree");
        try {
          await mkdir(tree, { recursive: true });
          await writeZip(
            join(folder, "a.zip"),
            links.map(({ name, target }) => ({ name: name.join("/"), text: target.join("/"), mode: 0o120777 })),
          );
          const accepted = await unpackArchive(join(folder, "a.zip"), tree).then(
            () => true,
            () => false,
          );
          if (!accepted) return;
          for (const { name } of links) {
            const end = await realpath(join(tree, ...name)).catch(() => tree); // dangling or circular
            expect(end.startsWith(tree)).toBe(true);
          }
        } finally {
          await rm(folder, { recursive: true, force: true });
        }
      },
    ),
    { numRuns: 300 },
  );
});

test("damaged content is refused", async () => {
  const { archive, unpack } = await useFolder();
  await writeZip(archive, [{ name: "a.txt", text: "x" }]);
  const bytes = await readFile(archive);
  bytes.writeUInt32LE(1, bytes.indexOf(Buffer.from("PK\x01\x02", "latin1")) + 16);
  await writeFile(archive, bytes);
  await expect(unpack()).rejects.toThrow(/a\.txt.*damaged/);
});

test("entries that share their bytes are refused", async () => {
  const { archive, unpack } = await useFolder();
  const random = randomBytes(5000).toString("base64");
  await writeZip(archive, [
    { name: "a.txt", text: random },
    { name: "b.txt", text: "1" },
    { name: "c.txt", text: "1" },
  ]);
  const bytes = await readFile(archive);
  const record = (name: string) => bytes.lastIndexOf(name) - 46;
  for (const name of ["b.txt", "c.txt"])
    bytes.copy(bytes, record(name) + 16, record("a.txt") + 16, record("a.txt") + 28);
  for (const name of ["b.txt", "c.txt"])
    bytes.copy(bytes, record(name) + 42, record("a.txt") + 42, record("a.txt") + 46);
  await writeFile(archive, bytes);
  await expect(unpack()).rejects.toThrow(/overlap/);
});

test("a cancelled unpacking stops", async () => {
  const { archive, tree } = await useFolder();
  await writeZip(archive, [{ name: "a.txt", text: "1" }]);
  const reason = new Error("enough");
  await expect(unpackArchive(archive, tree, AbortSignal.abort(reason))).rejects.toBe(reason);
});

test("a file is never written through a link of the same archive", async () => {
  const { archive, tree, unpack } = await useFolder();
  await mkdir(join(tree, "../outside"));
  await writeZip(archive, [
    { name: "dir", text: ".", mode: 0o120777 },
    { name: "dir/file", text: "x" },
  ]);
  await expect(unpack()).rejects.toThrow();
});

test("an entry that occurs twice is refused", async () => {
  const { archive, unpack } = await useFolder();
  await writeZip(archive, [
    { name: "a.txt", text: "1" },
    { name: "b.txt", text: "2" },
  ]);
  await rename(archive, "b.txt", "a.txt");
  await expect(unpack()).rejects.toThrow(/occurs twice/);
});

test("a zip bomb is refused by what it declares", async () => {
  const { archive, unpack } = await useFolder();
  await writeZip(archive, [{ name: "bomb", text: "x".repeat(100) }]);
  const bytes = await readFile(archive);
  const central = bytes.indexOf(Buffer.from("PK\x01\x02", "latin1"));
  bytes.writeUInt32LE(0xfffffff0, central + 24);
  await writeFile(archive, bytes);
  await expect(unpack()).rejects.toMatchObject({ failureCode: "ARCHIVE_INVALID" });
});

test("content longer than declared is refused", async () => {
  const { archive, unpack } = await useFolder();
  await writeZip(archive, [{ name: "liar", text: "x".repeat(10_000) }]);
  const bytes = await readFile(archive);
  bytes.writeUInt32LE(10, bytes.indexOf(Buffer.from("PK\x01\x02", "latin1")) + 24);
  await writeFile(archive, bytes);
  await expect(unpack()).rejects.toMatchObject({ failureCode: "ARCHIVE_INVALID" });
});

test.each([
  ["empty", ""],
  ["text", "this is no zip at all, however long it may be"],
  ["cut short", "PK\x03\x04"],
])("a broken archive (%s) is refused", async (_what, content) => {
  const { archive, unpack } = await useFolder();
  await writeFile(archive, content, "latin1");
  await expect(unpack()).rejects.toMatchObject({ failureCode: "ARCHIVE_INVALID" });
});

test("a missing Dockerfile is told, and one a folder too deep is named", async () => {
  const { tree } = await useFolder();
  await expect(requireDockerfile(tree)).rejects.toMatchObject({ failureCode: "ARCHIVE_DOCKERFILE_NOT_FOUND" });
  await mkdir(join(tree, "app"));
  await writeFile(join(tree, "app/Dockerfile"), "FROM scratch");
  await expect(requireDockerfile(tree)).rejects.toThrow(/app\/Dockerfile/);
});
