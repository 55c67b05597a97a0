import { open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";

/**
 * A confined monitor can open nothing: it gets every file that it needs after its start as an open descriptor, and names
 * it by its set (QEMU picks from a set what fits the access it wants). The order is that of the descriptors, from 3 on.
 */
const SETS = { scratch: 1, upper: 2, rootfs: 3 } as const;
const DESCRIPTORS = [
  { fd: 4, set: SETS.scratch },
  { fd: 5, set: SETS.upper },
  { fd: 6, set: SETS.upper },
  { fd: 7, set: SETS.rootfs },
] as const;

/** The one that the microVM's own disk is written by. */
export const UPPER_DESCRIPTOR = 5;

/** Where the device state of a snapshot is loaded from. */
export const DEVICE_STATE_URI = "fd:3";

/** Paths as the monitor knows them. */
export const INHERITED = {
  scratch: `/dev/fdset/${SETS.scratch}`,
  upper: `/dev/fdset/${SETS.upper}`,
  rootfs: `/dev/fdset/${SETS.rootfs}`,
} as const;

export const inheritedArguments: readonly string[] = [
  ...DESCRIPTORS.flatMap(({ fd, set }) => ["-add-fd", `fd=${fd},set=${set}`]),
  // A set that nothing uses is closed when the server goes away; this use of it is never written to.
  "-chardev",
  `file,id=scratch,path=${INHERITED.scratch},append=on`,
];

/** Where a monitor saves device state, for the server to read. */
export const SCRATCH_FILE = "device.scratch";

export interface FilesToInherit {
  readonly directory: string;
  readonly upper: string;
  /** A disk that `upper` starts as a copy of; without one it is there already. */
  readonly upperFrom?: string;
  readonly rootfs: string;
  /** None for a cold boot. */
  readonly deviceState?: string;
}

export interface InheritedFiles {
  /** Descriptors from 3 on, for a spawn. */
  readonly stdio: readonly (number | "ignore")[];
  close(): Promise<void>;
}

export async function openInherited(files: FilesToInherit): Promise<InheritedFiles> {
  const { directory, upper, upperFrom, rootfs, deviceState } = files;
  const opened: FileHandle[] = [];
  const add = async (path: string, flags: string): Promise<number> => {
    const file = await open(path, flags, 0o600);
    opened.push(file);
    return file.fd;
  };
  const close = async () => void (await Promise.all(opened.map((file) => file.close())));
  try {
    return {
      stdio: [
        deviceState === undefined ? "ignore" : await add(deviceState, "r"),
        await add(join(directory, SCRATCH_FILE), "w"),
        await add(upper, upperFrom === undefined ? "r+" : "w+"),
        await add(upper, "r"),
        await add(rootfs, "r"),
      ],
      close,
    };
  } catch (cause) {
    await close();
    throw cause;
  }
}
