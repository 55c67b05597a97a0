import fc from "fast-check";
import { posix } from "node:path";
import { expect, test } from "vitest";
import { linkBehindLink, linkStaysInside, readEntry } from "./archive-entry.ts";

const UNIX = 3 << 8;
const entry = (fileName: string, mode = 0o100644) =>
  readEntry({ fileName, externalFileAttributes: (mode << 16) >>> 0, versionMadeBy: UNIX, isEncrypted: false });

test.each(["../evil", "a/../../evil", "/etc/passwd", "C:/evil", "a\\b", "a\0b", `${"x/".repeat(2100)}x`])(
  "%j is refused",
  (name) => {
    expect(entry(name)).toEqual(expect.any(String));
  },
);

test.each([
  [0o020666, "a character device"],
  [0o060660, "a block device"],
  [0o010644, "a named pipe"],
  [0o140755, "a socket"],
])("mode %o, %s, is refused", (mode) => {
  expect(entry("device", mode)).toMatch(/neither a file/);
});

test("an encrypted entry is refused", () => {
  expect(readEntry({ fileName: "a", externalFileAttributes: 0, versionMadeBy: UNIX, isEncrypted: true })).toMatch(
    /encrypted/,
  );
});

test("execute bits stay, set-user-id does not", () => {
  expect(entry("run.sh", 0o104755)).toEqual({ path: "run.sh", kind: "file", mode: 0o755 });
});

test("an archive made elsewhere than on Unix gets plain permissions", () => {
  expect(readEntry({ fileName: "dir/", externalFileAttributes: 0x10, versionMadeBy: 0, isEncrypted: false })).toEqual({
    path: "dir",
    kind: "directory",
    mode: 0o755,
  });
});

test("no accepted path leaves the tree", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom("..", ".", "a", "", "b\\", "/", "c:"), { maxLength: 8 }), (parts) => {
      const accepted = entry(parts.join("/"));
      if (typeof accepted === "string") return;
      expect(posix.join("/tree", accepted.path).startsWith("/tree")).toBe(true);
    }),
  );
});

test("a symbolic link stays inside or is refused", () => {
  expect(linkStaysInside("bin/python", "python3")).toBe(true);
  expect(linkStaysInside("a/b/link", "../../file")).toBe(true);
  for (const target of ["/etc/passwd", "../../../x", "", "a/../../../x", "link/../../x"])
    expect(linkStaysInside("a/b", target)).toBe(false);
});

test("a link behind a link is found, one beside it is not", () => {
  expect(linkBehindLink(["a/b", "a/b/c/d"])).toBe("a/b/c/d");
  expect(linkBehindLink(["a/b", "a/bc/d", "a"])).toBe("a/b");
  expect(linkBehindLink(["a/b", "a/bc"])).toBeUndefined();
});
